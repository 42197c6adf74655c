"""Fetching a round's files, beside curl and aria2; and a whole round with previews."""

import contextlib, os, pathlib, random, shutil, struct, tempfile

from . import made, models, servers
from .measure import Contestant

ABOUT = "a round's files from nginx on loopback, beside `curl --parallel` and aria2c"
ABOUT_BATCH = "`download` of 640 models with previews, both cores busy; then `verify --objects`, which draws them again"
CONNECTIONS = 8


class Round:
    """A round to download: a folder that a server serves, and a competition that names its files."""

    def __init__(self, bench, miners, prompts, contents):
        # In memory a disk counts for nothing: TMPDIR=/dev/shm.
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="round-", dir=bench.scratch))
        self.bench, self.miners, self.prompts = bench, miners, prompts
        self.served, self.root, self.store = self.top / "served", self.top / "competition", self.top / "store"
        self.files = []
        for miner in range(miners):
            (self.served / f"m{miner}").mkdir(parents=True)
            for prompt in range(prompts):
                self.files.append(self.served / f"m{miner}" / f"{prompt:03}.glb")
                os.link(contents[(miner + prompt) % len(contents)], self.files[-1])
        self.bytes = sum(file.stat().st_size for file in self.files)

    def what(self):
        return f"{len(self.files)} files, {self.bytes / 1e6:.0f} MB"

    def fresh(self, port):
        """The competition as it is before the download."""
        for folder in (self.root, self.store):
            shutil.rmtree(folder, ignore_errors=True)
        made.to_download(self.root, self.miners, self.prompts, lambda n: f"http://127.0.0.1:{port}/m{n}")
        (self.root / "gen404.toml").write_text("[miners]\nallow_private_cdn = true\n[download]\n" + "".join(
            f"{key} = {CONNECTIONS}\n" for key in ("connections", "per_miner", "per_host")))

    def ours(self, port, name, *flags, bucket=None):
        """gen404 doing all of it, into a folder or a bucket."""
        where = [] if bucket else ["--store-dir", self.store]
        environment = {"CDN_URL": "https://cdn.example", "GEN404_CONFIG": str(self.root / "gen404.toml"), **(bucket.environment if bucket else {})}
        before = lambda: (bucket and bucket.empty(), self.fresh(port))
        command = [self.bench.program, "--repo", self.root, "-q", "download", "--block", made.DEADLINE, *where, *flags]
        return Contestant(name, command, env=environment, before=before, ours=True)

    def checked(self):
        """`verify --objects` of what was downloaded: it has to find nothing wrong."""
        environment = {"CDN_URL": "https://cdn.example", "GEN404_CONFIG": str(self.root / "gen404.toml")}
        command = [self.bench.program, "--repo", self.root, "-q", "verify", "--objects", "--store-dir", self.store]
        return Contestant("gen404 verify --objects", command, env=environment, ours=True)

    def to(self, folder):
        """Makes an empty folder for a peer."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def curl(self, port):
        folder, listed = self.top / "curl", self.top / "curl.txt"
        listed.write_text("".join(f'url = "{self.url(port, file)}"\noutput = "{folder}/{n}"\n' for n, file in enumerate(self.files)))
        command = ["curl", "--silent", "--parallel", "--parallel-max", CONNECTIONS, "-K", listed]
        return Contestant("curl --parallel", command, before=lambda: self.to(folder))

    def aria2(self, port):
        folder, listed = self.top / "aria2", self.top / "aria2.txt"
        listed.write_text("".join(f"{self.url(port, file)}\n out={n}\n" for n, file in enumerate(self.files)))
        command = ["aria2c", "--quiet", "--file-allocation=none", "-x1", "-s1", "-j", CONNECTIONS, "-i", listed, "-d", folder]
        return Contestant("aria2c", command, before=lambda: self.to(folder))

    def url(self, port, file):
        return f"http://127.0.0.1:{port}/{file.relative_to(self.served)}"

    def close(self):
        shutil.rmtree(self.top)


@contextlib.contextmanager
def played(bench, miners, prompts, contents):
    """A round and the server of its files."""
    this = Round(bench, miners, prompts, contents)
    try:
        with servers.files(bench, this.top, this.served) as (server, port):
            yield this, server, port
    finally:
        this.close()


def bodies(bench, mib):
    """A file of so many MiB: a valid GLB header, random bytes."""
    path = bench.scratch / f"body_{mib}.glb"
    body = random.Random(404).randbytes((mib << 20) - 12)
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, len(body) + 12) + body)
    return [path]


def drawn(bench):
    """Models that are drawn without a complaint: the reference's, or made ones. Copies, so that they can be linked to."""
    found = sorted((bench.shared / "render/models").glob("[gt][ep][n_]*.glb"))
    found = found or [models.made(bench.out / "made", "ball", size) for size in (1_000, 5_000, 20_000, 60_000)]
    return [pathlib.Path(shutil.copyfile(path, bench.scratch / path.name)) for path in found]


def run(bench):
    """Files of 2 MiB, and small models, each without previews."""
    small = drawn(bench)
    for contents in (bodies(bench, 2), small):
        with played(bench, *((20, 32) if not bench.quick else (5, 8)), contents) as (this, server, port):
            contestants = [this.ours(port, "gen404 download --no-previews", "--no-previews")]
            contestants += [make(port) for tool, make in (("curl", this.curl), ("aria2c", this.aria2)) if bench.tool(tool)]
            bench.turns(f"{this.what()}, {server}", contestants, bench.runs(5, 2))


def batch(bench):
    """A round of real models with their previews, and one of the largest models."""
    small = drawn(bench)
    large = [] if bench.quick else [models.made(bench.out / "made", kind, 50 << 20) for kind in ("sheet", "picture")]
    sizes = [(*((20, 32) if not bench.quick else (5, 4)), small)] + [(4, 2, large)] * bool(large)
    for miners, prompts, contents in sizes:
        here = [pathlib.Path(shutil.copyfile(path, bench.scratch / path.name)) if path.parent != bench.scratch else path for path in contents]
        with played(bench, miners, prompts, here) as (this, _, port):
            took = bench.turns(f"{this.what()}, drawn", [this.ours(port, "gen404 download")], bench.runs(3, 1), warm=False)
            [runs] = took.values()
            bench.note(f"{this.what()}: cores busy: {sum(run.cpu / run.wall for run in runs) / len(runs):.2f}")
            if contents is small:
                bench.turns(f"{this.what()}, drawn again", [this.checked()], 1, warm=False)
