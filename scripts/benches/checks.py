"""verify and report on competitions, beside a plain Python script and git."""

import json, subprocess, sys

from . import made
from .measure import ROOT, Contestant, Failed

ABOUT = "`verify`, `verify --history` and `report`, beside scripts/peers/verify.py and `git fsck`; --competition DIR for one of yours"


def run(bench):
    for name, folder in competitions(bench):
        one(bench, name, folder)


def competitions(bench):
    """What is measured: a competition that was named, or real ones, or what the sandbox plays."""
    if bench.competition:
        return [(bench.competition.name, bench.competition)]
    real, splats = made.cloned(bench, "competition/rounds-0-2.bundle"), made.cloned(bench, "formats/splat-rounds-0-1.bundle")
    if not real:
        return [("sandbox, 4 rounds", made.sandbox(bench, 4, 6, 4))]
    found = [("3 rounds", real)]
    if not bench.quick:
        found.append(("7 rounds", made.history(bench, real, "rounds_7", "--rounds", 7)))
    return found + [("2 rounds of splats", splats)] * bool(splats)


def one(bench, name, folder):
    said = subprocess.run([bench.program, "--repo", folder, "--json", "verify"], stdout=subprocess.PIPE)
    checks = json.loads(said.stdout).get("details", {}).get("checks", []) if said.returncode in (0, 1) else []
    if len(checks) < 20:
        raise Failed(f"{folder}: `verify` checks next to nothing there")
    runs, verify = bench.runs(9, 3), [bench.program, "--repo", folder, "verify"]
    # A finding is what the competition has, not a failure of the measurement.
    ours = lambda label, *more, **others: Contestant(label, [*verify, *more], codes=(0, 1), **others)
    contestants = [ours("verify", ours=True), ours("verify, one thread", env={"RAYON_NUM_THREADS": "1"})]
    if any(folder.glob("rounds/*/*/duels_*")) or any(folder.glob("rounds/*/duels_*")):
        contestants.append(Contestant("scripts/peers/verify.py", [sys.executable, ROOT / "scripts/peers/verify.py", folder]))
    bench.turns(f"files: {name}", contestants, runs)
    contestants = [ours("verify --history", "--history", ours=True)]
    if bench.tool("git"):
        contestants.append(Contestant("git fsck", ["git", "-C", folder, "fsck", "--no-progress"], codes=range(256)))
    bench.turns(f"history: {name}", contestants, runs)
    out = bench.scratch / "report"
    bench.turns(f"pages: {name}", [Contestant("report", [bench.program, "--repo", folder, "report", "--out", out], codes=(0, 1), ours=True)], runs)
