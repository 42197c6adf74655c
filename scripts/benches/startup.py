"""Start-up: what a process costs that does next to nothing, beside git's."""

from .measure import ROOT, Contestant

ABOUT = "`--help`, and `status` of examples/competition, beside git's own"


def run(bench):
    runs = bench.runs(41, 11)
    git = bench.tool("git")
    example = ROOT / "examples/competition"
    for what, ours, theirs in [("a word", ["--help"], ["--version"]),
                               ("the state", ["--repo", example, "status"], ["-C", example, "status", "--short", "."])]:
        contestants = [Contestant(f"gen404 {ours[-1]}", [bench.program, *ours], ours=True)]
        if git:
            contestants.append(Contestant(f"git {next(word for word in theirs if word in ('--version', 'status'))}", ["git", *theirs]))
        bench.turns(what, contestants, runs)
