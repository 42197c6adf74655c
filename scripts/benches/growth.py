"""How cost grows: with miners and prompts, triangles, and commits. CPU seconds, as others' work disturbs them least."""

import pathlib, shutil
from dataclasses import dataclass, field

from . import download, made, models, plot, servers
from .measure import Contestant, median

# What grows faster has to be explained.
STEEP = 1.1


@dataclass
class Picture:
    """Curves that share their axes."""

    name: str
    title: str
    x: str
    y: str
    curves: dict = field(default_factory=dict)

    def add(self, curve, x, y):
        self.curves.setdefault(curve, []).append([x, y])

    def json(self):
        return vars(self)


def show(bench, pictures):
    """Draws them, and prints their slopes."""
    bench.plots.mkdir(parents=True, exist_ok=True)
    for picture in pictures:
        bench.growth.append(picture.json())
        bench.note(draw(bench.plots, picture))


def draw(folder, picture):
    """Writes the picture; returns its slopes as a table. At the end: that of the last three points, as two are too noisy."""
    lines = [f"| {picture.title} | from | to | slope | at the end |", "|---|---|---|---|---|"]
    curves = list(picture.curves.items())
    (folder / f"{picture.name}.svg").write_text(plot.drawn(picture.title, picture.x, picture.y, curves))
    for name, points in curves:
        whole, end = plot.slope(points), plot.slope(points[-3:])
        flag = " **steep**" if max(whole, end) > STEEP and not name.startswith("git") else ""
        told = [f"{plot.short(x)} {picture.x}: {plot.short(y)} {picture.y}" for x, y in (points[0], points[-1])]
        lines.append(f"| {name} | {told[0]} | {told[1]} | {whole:.2f} | {end:.2f}{flag} |")
    return "\n".join(lines)


def cost(bench, what, contestant, runs):
    """CPU seconds and MiB of a command."""
    took = bench.turns(what, [contestant], runs)[contestant.name]
    return median(took, "cpu"), median(took, "peak")


def triangles(bench):
    sizes = [10_000, 100_000] if bench.quick else [10_000, 30_000, 100_000, 300_000, 1_000_000, 2_000_000, 5_000_000]
    time = Picture("triangles", "Drawing a preview", "triangles", "CPU seconds")
    memory = Picture("triangles-memory", "Memory for a preview", "triangles", "MiB")
    for size in sizes:
        path = models.made(bench.out / "made", "ball", size)
        command = [bench.program, "render", path, "-o", bench.scratch / "out.png"]
        cpu, peak = cost(bench, f"{plot.short(size)} triangles", Contestant("gen404 render", command, ours=True), bench.runs(3, 1))
        time.add("render", size, cpu)
        memory.add("render", size, peak)
    show(bench, [time, memory])


def history(bench):
    sizes = [300, 1_000] if bench.quick else [300, 1_000, 3_000, 10_000, 30_000]
    source = made.sandbox(bench, 4, 6, 4)
    time = Picture("history", "A long history", "commits", "CPU seconds")
    memory = Picture("history-memory", "Memory for a long history", "commits", "MiB")
    for size in sizes:
        # Ninety looks at the builds make rounds of about a hundred commits.
        folder = made.history(bench, source, f"history_{size}", "--commits", size, "--polls", 90)
        out = bench.scratch / "report"
        commands = {"verify --history": ["verify", "--history"], "report": ["report", "--out", out], "status": ["status"]}
        for name, words in commands.items():
            one = Contestant(f"gen404 {name}", [bench.program, "--repo", folder, *words], codes=(0, 1), ours=True)
            cpu, peak = cost(bench, f"{plot.short(size)} commits", one, bench.runs(3, 1))
            time.add(name, size, cpu)
            memory.add(name, size, peak)
        if bench.tool("git"):
            fsck = Contestant("git fsck", ["git", "-C", folder, "fsck", "--no-progress"])
            time.add("git fsck", size, cost(bench, f"{plot.short(size)} commits", fsck, 1)[0])
        shutil.rmtree(out, ignore_errors=True)
    show(bench, [time, memory])


def miners(bench):
    sizes = [8, 16] if bench.quick else [8, 16, 32, 64, 128, 256]
    pages = Picture("pages", "Pages of a report", "miners", "files")
    weight = Picture("pages-bytes", "Bytes of a report", "miners", "MB")
    calls = Picture("calls", "The judge's calls", "miners", "calls")
    times = []
    for prompts in [8] if bench.quick else [32, 128]:
        time = Picture(f"miners-{prompts}", f"A round of {prompts} prompts", "miners", "CPU seconds")
        for size in sizes:
            played(bench, size, prompts, time, calls, pages, weight)
            fetched(bench, size, prompts, time)
        times.append(time)
    show(bench, [*times, calls, pages, weight])


def played(bench, size, prompts, time, calls, pages, weight):
    """A round's duels, and what checking and showing them costs."""
    root, out, what = bench.scratch / "round", bench.scratch / "report", f"{size} miners, {prompts} prompts"
    shutil.rmtree(root, ignore_errors=True)

    def fresh():
        shutil.rmtree(root, ignore_errors=True)
        made.to_duel(root, size, prompts)

    with servers.judge(0, 64) as (url, counts):
        duel = Contestant("gen404 duel", [bench.program, "--repo", root, "-q", "duel", "--judge-url", url], codes=(0, 3), before=fresh, ours=True)
        fresh()
        bench.record(what, duel.name, duel.shown(), [once := duel.run()])
        time.add("duel", size, once.cpu)
        calls.add(f"{prompts} prompts", size, counts()["answered"])
    shutil.rmtree(root / ".gen404", ignore_errors=True)
    for name, words in {"verify": ["verify"], "report": ["report", "--out", out]}.items():
        one = Contestant(f"gen404 {name}", [bench.program, "--repo", root, *words], codes=(0, 1), ours=True)
        time.add(name, size, cost(bench, what, one, bench.runs(3, 1))[0])
    files = [path for path in pathlib.Path(out).rglob("*") if path.is_file()]
    pages.add(f"{prompts} prompts", size, len(files))
    weight.add(f"{prompts} prompts", size, sum(path.stat().st_size for path in files) / 1e6)
    shutil.rmtree(root)
    shutil.rmtree(out)


def fetched(bench, size, prompts, time):
    """Fetching the round's files, small ones, without previews."""
    body = bench.scratch / "small.glb"
    if not body.exists():
        download.bodies(bench, 1)[0].rename(body)
        with body.open("r+b") as file:
            # The header tells the length.
            file.truncate(16_384)
            file.seek(8)
            file.write((16_384).to_bytes(4, "little"))
    with download.played(bench, size, prompts, [body]) as (this, _, port):
        one = this.ours(port, "gen404 download", "--no-previews")
        one.before()
        one.before = None
        bench.record(f"{size} miners, {prompts} prompts", one.name, one.shown(), [once := one.run()])
        time.add("download", size, once.cpu)
