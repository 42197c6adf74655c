"""The judge's calls: a round's duels against the bound, calls x latency / capacity, and a client that makes one at a time."""

import shutil, sys

from . import made, servers
from .measure import ROOT, Contestant, Timed, process

ABOUT = "`duel` against a stand-in for a judge, beside the bound of its capacity and a client that makes one call at a time"
LATENCY, CAPACITY = 0.1, 16


def run(bench):
    miners, prompts = 4, 16 if bench.quick else 128
    root = bench.scratch / "duels"
    with servers.judge(LATENCY, CAPACITY) as (url, counts):
        def fresh():
            shutil.rmtree(root, ignore_errors=True)
            made.to_duel(root, miners, prompts)

        command = [bench.program, "--repo", root, "-q", "duel", "--judge-url", url, "--judge-concurrency", CAPACITY]
        # It waits for the signature of what comes next, or is done.
        ours = Contestant("gen404 duel", command, codes=(0, 3), before=fresh, ours=True)
        ours.run()
        calls = counts()["answered"]
        bound = calls * LATENCY / CAPACITY
        # The sequential client makes a share of the calls, and its time is scaled to all of them.
        share = calls if bench.quick else min(calls, 200)
        peer = [sys.executable, ROOT / "scripts/peers/judge.py", url, share]
        one = Contestant(f"one at a time (of {share} calls)", peer)
        one.once = lambda: _scaled(one, calls / share)
        limit = Contestant("bound", [f"{calls} calls x {LATENCY} s / {CAPACITY}"], once=lambda: Timed(bound))
        bench.turns(f"{miners} miners, {prompts} prompts, {calls} calls", [ours, limit, one], bench.runs(3, 1), warm=False)
        bench.note(f"calls open at most: {counts()['most_open']}")


def _scaled(contestant, times):
    took = process(contestant.argv)
    return Timed(took.wall * times, took.cpu * times, took.peak)
