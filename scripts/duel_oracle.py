#!/usr/bin/env python3
"""The files that one run of `gen404 duel` must leave behind, computed from the rules alone.

    duel_oracle.py DIR OUT [--skill SUBSTRING=OFFSET ...]

Reads the competition in DIR, whose current round is in the stage duels, plays its tournament with a judge whose
answer is a function of the URLs shown, and writes to OUT the files that change: the matrix, the reports of the matches
played, require_audit.json, winner.json and state.json. Prints `winner HOTKEY` or `awaits HOTKEY ...`.

The judge is that of a test endpoint: a model's penalty is sha256(prompt URL + newline + model URL)[0] % 6 + 2, plus the
offset of every --skill whose substring is in the model's URL, clamped to 0..10; issues read `penalties A and B`.
"""
import argparse
import hashlib
import json
import math
import pathlib
import random

args = argparse.ArgumentParser()
args.add_argument("dir", type=pathlib.Path)
args.add_argument("out", type=pathlib.Path)
args.add_argument("--skill", action="append", default=[])
args = args.parse_args()
SKILLS = [(text.rsplit("=", 1)[0], int(text.rsplit("=", 1)[1])) for text in args.skill]

LIMIT_SECONDS, TOLERANCE, EXTRA_MARGIN = 180.0, 0.05, 0.05


def load(path, default=None):
    file = args.dir / path
    return json.loads(file.read_text()) if file.exists() else default


def save(path, text):
    file = args.out / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())


def pretty(value):
    return json.dumps(value, indent=2, ensure_ascii=False)


config, state = load("config.json"), load("state.json")
assert state["stage"] == "duels", state
ROUND, MARGIN = state["current_round"], config["win_margin"]
HERE = f"rounds/{ROUND}"
SEED = load(f"{HERE}/seed.json")["seed"]
PROMPTS = (args.dir / HERE / "prompts.txt").read_text().split("\n")
submissions = load(f"{HERE}/submissions.json")
ORDER = sorted(submissions, key=lambda hotkey: submissions[hotkey]["revealed_at_block"])
audits = load(f"{HERE}/generation_audits.json", {})
sources = load(f"{HERE}/source_audit.json", [])
REJECTED = {hotkey for hotkey, audit in audits.items() if audit["outcome"] == "rejected"}
REJECTED |= {source["hotkey"] for source in sources if source["verdict"] == "failed"}
PASSED = {hotkey for hotkey, audit in audits.items() if audit["outcome"] == "passed"} - REJECTED

matrix = {}
matrix_file = args.dir / HERE / "matches_matrix.csv"
if matrix_file.exists():
    for line in matrix_file.read_text().split("\n")[1:]:
        left, right, margin = line.split(",")
        matrix[left, right] = float(margin)
requests = load(f"{HERE}/require_audit.json", [])
reports, order_played = {}, []


def stem(url):
    return pathlib.PurePosixPath(url.split("?")[0].split("#")[0]).stem


def outputs(player):
    name = "generated" if player == "leader" else "submitted"
    return load(f"{HERE}/{player}/{name}.json", {})


def late(made):
    slow = [stem(url) for url in PROMPTS if made.get(stem(url), {}).get("generation_time", 0) > LIMIT_SECONDS]
    return set(slow[int(len(PROMPTS) * TOLERANCE):])


def penalty(prompt, model):
    value = hashlib.sha256(f"{prompt}\n{model}".encode()).digest()[0] % 6 + 2
    return max(0, min(10, value + sum(offset for text, offset in SKILLS if text in model)))


def duel(url, lefts, rights, late_left, late_right):
    name = stem(url)
    left, right = lefts.get(name, {}), rights.get(name, {})
    result = {"name": name, "prompt": url, "left_glb": left.get("glb"), "left_png": left.get("png"),
              "right_glb": right.get("glb"), "right_png": right.get("png")}
    if not left.get("png") and not right.get("png"):
        winner, issues = "draw", f"No previews for {name}"
    elif not left.get("png"):
        winner, issues = "right", f"No preview for {name} from left"
    elif not right.get("png"):
        winner, issues = "left", f"No preview for {name} from right"
    elif name in late_left and name in late_right:
        winner, issues = "draw", "Generation time exceeded for both"
    elif name in late_left:
        winner, issues = "right", "Generation time exceeded for left"
    elif name in late_right:
        winner, issues = "left", "Generation time exceeded for right"
    else:
        # Shown in either order, the judge gives a model the same penalty.
        a, b = penalty(url, left["png"]), penalty(url, right["png"])
        winner = "draw" if abs(a - b) <= 1 else "left" if a < b else "right"
        issues = f"penalties {a} and {b}"
    return result | {"winner": winner, "issues": issues}


def play(left, right):
    if (left, right) in matrix:
        return
    lefts, rights = outputs(left), outputs(right)
    order_played.append((left, right))
    if not lefts or not rights:
        matrix[left, right] = 0.0 if not lefts and not rights else 100.0 if rights else -100.0
        return
    late_left, late_right = late(lefts), late(rights)
    duels = sorted((duel(url, lefts, rights, late_left, late_right) for url in PROMPTS), key=lambda d: d["name"])
    score = sum({"right": 1, "left": -1}.get(d["winner"], 0) for d in duels)
    matrix[left, right] = score / len(duels)
    reports[left, right] = {"left": left, "right": right, "score": score, "margin": score / len(duels), "duels": duels}


def report(left, right):
    if (left, right) in reports:
        return reports[left, right]
    for file in (args.dir / HERE / right).glob("duels_*.json"):
        found = json.loads(file.read_text())
        if found["left"] == left:
            return found
    return None


def request(left, right):
    if any(entry["hotkey"] == right for entry in requests):
        return
    critical, margin = [], matrix[left, right]
    if margin < MARGIN + EXTRA_MARGIN:
        duels = report(left, right)["duels"]
        critical = [d["name"] for d in duels if d["winner"] == "right"]
        most = max(1, math.ceil(len(duels) * MARGIN))
        if len(critical) > most:
            critical = random.Random(SEED).sample(critical, most)
    requests.append({"hotkey": right, "critical_prompts": critical})


# Qualification.
allowed = [hotkey for hotkey in ORDER if hotkey not in REJECTED]
for hotkey in allowed:
    play("leader", hotkey)
qualified = [hotkey for hotkey in allowed if matrix["leader", hotkey] >= MARGIN]
# The timeline, from the base leader.
holder, holders, timeline = "leader", [], []
for hotkey in qualified:
    play(holder, hotkey)
    timeline.append((holder, hotkey))
    if matrix[holder, hotkey] >= MARGIN:
        request(holder, hotkey)
        holder = hotkey
        holders.append(hotkey)
awaited = [hotkey for hotkey in holders if hotkey not in PASSED]
if awaited:
    for at, left in enumerate(qualified):
        for right in qualified[at + 1:]:
            play(left, right)

# Recorded rows keep their order; a new row goes before the first one that comes later in the tournament:
# qualification in order of submission, the timeline, the exploratory matches.
sequence = [("leader", hotkey) for hotkey in ORDER] + timeline
sequence += [(left, right) for at, left in enumerate(qualified) for right in qualified[at + 1:]]
rank = {pair: at for at, pair in reversed(list(enumerate(sequence)))}
rows = [pair for pair in matrix if pair not in order_played]
for pair in order_played:
    later = [at for at, other in enumerate(rows) if rank.get(other, -1) > rank[pair]]
    rows.insert(later[0] if later else len(rows), pair)
lines = ["left,right,margin"] + [f"{left},{right},{json.dumps(matrix[left, right])}" for left, right in rows]
save(f"{HERE}/matches_matrix.csv", "\n".join(lines))
for (left, right), made in reports.items():
    save(f"{HERE}/{right}/duels_{left[:10]}.json", pretty(made))
if requests:
    save(f"{HERE}/require_audit.json", pretty(requests))
if awaited:
    print("awaits", *awaited)
else:
    if holder == "leader":
        latest = load(f"{HERE}/schedule.json")["latest_reveal_block"]
        leader = [entry for entry in load("leader.json") if entry["effective_block"] <= latest][-1]
        program = leader["repo"], leader["commit"], leader["docker"]
    else:
        build = load(f"{HERE}/builds.json")[holder]
        program = build["repo"], build["commit"], build["docker_image"]
    names = dict(zip(("repo", "commit", "docker_image"), program))
    save(f"{HERE}/winner.json", pretty({"hotkey": holder, "winner_hotkey": holder} | names))
    save("state.json", pretty(state | {"stage": "finalizing", "next_stage_eta": None}))
    print("winner", holder)
