#!/usr/bin/env python3
"""What `gen404 verify` is timed against: scripts/peers/verify.py DIR

A plain script with Python's own json, in one process: it parses every file of a competition of meshes, works out the
score and margin of each match and the arithmetic of each audit, and writes every JSON file again to compare the bytes.
It proves less than `verify` does: no tournament, no draws, no URLs, no history.
"""

import json
import os
import sys

GENERATION_SECONDS, DISTANCE, TRIM = 180.0, 0.1, 6


def read(root):
    """Every file of the competition's folders, by path, as text and parsed."""
    files = {}
    for folder, names, found in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".")]
        for name in found:
            path = os.path.join(folder, name)
            if not name.endswith((".json", ".csv", ".txt")) and name != "SHA256SUMS":
                continue
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if name.endswith(".json"):
                files[os.path.relpath(path, root)] = text, json.loads(text)
            else:
                files[os.path.relpath(path, root)] = text, text.split("\n")
    return files


POINTS = {"left": -1, "right": 1, "draw": 0, "skipped": 0}


def rescored(report):
    score = sum(POINTS[duel["winner"]] for duel in report["duels"])
    return score == report["score"] and score / max(len(report["duels"]), 1) == report["margin"]


def complete(output):
    return output is not None and output["glb"] is not None and output["png"] is not None


def mismatched(output):
    return not complete(output) or output["generation_time"] > GENERATION_SECONDS or output["distance"] > DISTANCE


def median(times):
    times = sorted(times)
    times = times[TRIM:-TRIM] if len(times) > 2 * TRIM else times
    if not times:
        return None
    middle = len(times) // 2
    return times[middle] if len(times) % 2 else (times[middle - 1] + times[middle]) / 2


def audited(audit, critical, submitted, generated):
    if generated is None:
        return audit["outcome"] == "rejected"
    stems = [stem for stem, output in submitted.items() if complete(output)]
    missed = [stem for stem in stems if mismatched(generated.get(stem))]
    failed_critical = sum(stem in critical for stem in missed)
    times = [generated[stem]["generation_time"] for stem in stems if complete(generated.get(stem))]
    found = audit["checked_prompts"], audit["failed_prompts"], audit["failed_critical"], audit["generation_time"]
    return found == (len(stems), len(missed) - failed_critical, failed_critical, median(times))


def main():
    files = read(sys.argv[1])
    wrong = []
    for path, (text, value) in files.items():
        name = os.path.basename(path)
        if name.startswith("duels_") and not rescored(value):
            wrong.append(path)
        if name == "generation_audits.json":
            folder = os.path.dirname(path)
            asked = files.get(f"{folder}/require_audit.json", ("", []))[1]
            critical = {request["hotkey"]: set(request["critical_prompts"]) for request in asked}
            for hotkey, audit in value.items():
                submitted = files.get(f"{folder}/{hotkey}/submitted.json", ("", {}))[1]
                generated = files.get(f"{folder}/{hotkey}/generated.json", ("", None))[1]
                if not audited(audit, critical.get(hotkey, ()), submitted, generated):
                    wrong.append(f"{path} {hotkey}")
    for path, (text, value) in files.items():
        # seed.json is on one line.
        form = {"indent": None if path.endswith("seed.json") else 2, "ensure_ascii": False}
        if path.endswith(".json") and json.dumps(value, **form) != text:
            wrong.append(f"{path}: bytes")
    print(f"{len(files)} files, {len(wrong)} objections", *wrong, sep="\n")


main()
