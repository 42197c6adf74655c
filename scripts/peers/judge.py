#!/usr/bin/env python3
"""What `gen404 duel` is timed against: scripts/peers/judge.py URL CALLS

Asks an OpenAI-compatible judge so many questions, one after the other, on one connection. It keeps none of the answers.
"""

import http.client
import json
import sys
import urllib.parse


def question(number):
    """A question of the size of a real one's text."""
    picture = lambda player: {"type": "image_url", "image_url": {"url": f"https://store.example.org/rounds/0/{player}/x/{number}.png"}}
    text = {"type": "text", "text": "Which of the two is nearer to the prompt? " * 20}
    roles = [("system", "You compare models."), ("user", [text, picture("prompt"), picture("leader"), picture("miner")])]
    return json.dumps({"model": "judge", "messages": [{"role": role, "content": content} for role, content in roles]})


def main():
    url = urllib.parse.urlsplit(sys.argv[1])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    for number in range(int(sys.argv[2])):
        connection.request("POST", f"{url.path}/chat/completions", question(number), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = json.loads(json.load(answer)["choices"][0]["message"]["content"])
        assert {"penalty_1", "penalty_2"} <= told.keys(), told


main()
