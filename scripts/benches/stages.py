"""The judge's calls in stages: a round's duels of three.js modules against the bound."""

import shutil

from . import made, servers
from .measure import Contestant, Timed

ABOUT = "`duel` of three.js modules against a stand-in for a judge in stages, beside the bound of its capacity"
LATENCY, CAPACITY = 0.1, 16
# The most calls of a duel that wait for each other: first stage, features, checks, grey.
CHAIN = 4


def run(bench):
    miners, prompts = 4, 16 if bench.quick else 64
    root = bench.scratch / "stages"
    with servers.judge(LATENCY, CAPACITY) as (url, counts):
        views = url.removesuffix("/v1")

        def fresh():
            shutil.rmtree(root, ignore_errors=True)
            made.to_duel_in_stages(root, miners, prompts, views)

        command = [bench.program, "--repo", root, "-q", "duel", "--judge-url", url, "--judge-concurrency", CAPACITY]
        # It waits for the audits of what won, or is done.
        ours = Contestant("gen404 duel", command, codes=(0, 3), before=fresh, ours=True)
        ours.run()
        calls = counts()["answered"]
        bound = max(calls * LATENCY / CAPACITY, CHAIN * LATENCY)
        limit = Contestant("bound", [f"{calls} calls x {LATENCY} s / {CAPACITY}"], once=lambda: Timed(bound))
        bench.turns(f"{miners} miners, {prompts} prompts, {calls} calls", [ours, limit], bench.runs(3, 1), warm=False)
        bench.note(f"calls open at most: {counts()['most_open']}")
