"""The stand-in for a judge: `stand_in.py PORT [LATENCY CAPACITY]` serves until it is killed.

Answers like an OpenAI-compatible endpoint, with two sentences a call, as long as a real judge's, and the same for the same
question. At most CAPACITY calls are worked on at once, each for LATENCY seconds; the rest wait. GET /stats tells how many
calls were answered, and how many were open at most.
"""

import hashlib, http.server, json, random, sys, threading, time

# One miner in so many is better than the leader, the others are worse.
BETTER = 15
WORDS = ("the first second model lacks has shows missing legs handle texture smeared colour wrong slightly proportions too wide "
         "narrow back side surface noisy clean fragments floating around shape matches picture well but detail lost on top edge "
         "rounded instead of sharp material looks metallic wooden dull glossy seam visible hole in base wheels wing head arms "
         "while silhouette close to reference with minor faults only and blurred print label").split()


def drawn(text):
    """A number that belongs to the text."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:4], 16)


def penalty(prompt, model):
    player = model.split("/")[5]
    skill = 0 if player == "leader" else 2 if drawn(player) % BETTER == 0 else -1
    return max(0, drawn(prompt + model) % 7 + 1 - skill)


class Judge(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer's head and body are two writes: the second must not wait for the client.
    disable_nagle_algorithm = True
    latency, slots, lock = 0.0, threading.Semaphore(1024), threading.Lock()
    counts = {"answered": 0, "open": 0, "most_open": 0}

    def log_message(self, *_):
        pass

    def count(self, answered, opened):
        with self.lock:
            self.counts["answered"] += answered
            self.counts["open"] += opened
            self.counts["most_open"] = max(self.counts["most_open"], self.counts["open"])

    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(self.counts)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.count(0, 1)
        with self.slots:
            if self.latency:
                time.sleep(self.latency)
        self.count(1, -1)
        parts = asked["messages"][1]["content"]
        prompt, *models = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        lot = random.Random(prompt + models[0] + models[1])
        issues = " ".join(f"{' '.join(lot.choices(WORDS, k=lot.randint(10, 24)))}.".capitalize() for _ in "12")
        one, two = [penalty(prompt, model) for model in models]
        content = json.dumps({"penalty_1": one, "penalty_2": two, "issues": issues})
        self.reply({"model": "zai-org/GLM-4.1V-9B-Thinking", "choices": [
            {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": lot.randint(3500, 4200), "completion_tokens": lot.randint(150, 700)}})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


if __name__ == "__main__":
    if len(sys.argv) > 2:
        Judge.latency, Judge.slots = float(sys.argv[2]), threading.Semaphore(int(sys.argv[3]))
    Server(("127.0.0.1", int(sys.argv[1])), Judge).serve_forever()
