"""Previews of single models, beside the reference renderer and f3d."""

import contextlib, os, subprocess

from . import models, servers
from .measure import ROOT, Contestant, Failed, Timed

ABOUT = "whole `render` processes, in turns with the reference (pyrender on Mesa, warm) and f3d"
NAMED = ["gen_cube_png", "gen_normal_map_cube", "tp_monkey", "tp_kay_chest_gold", "tp_boolean", "gen_sphere_png", "gen_ai_20k",
         "tp_cycloidal", "gen_ai_100k"]
WARM = """
import io, os, sys, time
sys.path.insert(0, sys.argv[1])
import reference
print("ready", flush=True)
for line in sys.stdin:
    with open(line.strip(), "rb") as file:
        glb = file.read()
    begun, busy = time.perf_counter(), sum(os.times()[:2])
    reference.grid(glb).save(io.BytesIO(), "PNG")
    print(time.perf_counter() - begun, sum(os.times()[:2]) - busy, flush=True)
"""


class Reference:
    """The reference renderer in a process that stays: a model's time is from its bytes to those of the PNG."""

    def __init__(self, python):
        fixtures = ROOT / "crates/preview/tests/preview/fixtures"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.python = python
        self.process = subprocess.Popen([python, "-c", WARM, fixtures], **pipes)
        self.works = self.process.stdout.readline().strip() == "ready"

    def once(self, path):
        print(os.path.abspath(path), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{path}: the reference failed")
        wall, cpu = line.split()
        return Timed(float(wall), float(cpu))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run(bench):
    python = bench.reference or bench.peers / "bin/python"
    warm = Reference(python) if os.path.exists(python) else None
    if not (warm and warm.works):
        bench.skip("the reference renderer", "scripts/bench --install, or --reference PYTHON with the packages of "
                   "crates/preview/tests/preview/fixtures/reference.py")
        warm = None
    f3d = bench.tool("f3d")
    with servers.display(bench) if f3d else contextlib.nullcontext() as screen:
        for path in files(bench):
            one(bench, path, warm, f3d if screen else None, screen)
    if warm:
        warm.close()


def files(bench):
    """The models: those named, or the reference's, or made ones."""
    if bench.models:
        return bench.models
    found = [path for name in NAMED if (path := bench.shared / f"render/models/{name}.glb").exists()]
    found = found[:: 4 if bench.quick else 1]
    sizes = [1_000, 20_000, 100_000] if not found else []
    return [*found, *(models.made(bench.out / "made", "ball", size) for size in [*sizes, *([] if bench.quick else [1_000_000])])]


def one(bench, path, warm, f3d, screen):
    out = bench.scratch / "out.png"
    contestants = [Contestant("gen404 render", [bench.program, "render", path, "-o", out], ours=True)]
    if warm:
        contestants.append(Contestant("reference, warm", [warm.python, "reference.grid of", path], once=lambda: warm.once(path)))
    if f3d:
        # One view with as many pixels as the four of a preview, which are drawn at twice their size.
        theirs = Contestant("f3d, one view", [f3d, path, "--output", out, "--resolution", "1041,1041", "--quiet"], env=screen)
        try:
            theirs.run()
            contestants.append(theirs)
        except Failed as failure:
            # That of Debian 12 crashes on textures in WebP.
            bench.skip(f"f3d of {path.stem}", str(failure).splitlines()[0].rsplit(": ", 1)[-1])
    bench.turns(path.stem, contestants, bench.runs(7, 3))
