"""Competitions to measure with, made here: the files of a round, and histories."""

import hashlib, json, pathlib, shutil, subprocess, sys

from .measure import ROOT

B58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LEADER = 65535
# 120 minutes of 12 seconds after the last block of submissions.
DEADLINE = 602


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def hotkey(n):
    """A valid SS58 address for each number."""
    payload = bytes([42]) + n.to_bytes(2, "big") * 16
    raw = payload + hashlib.blake2b(b"SS58PRE" + payload).digest()[:2]
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = B58[digit] + text
    return text


def saver(root):
    """A function that writes a file of a competition: text as it is, the rest as JSON."""

    def save(path, value):
        path = pathlib.Path(root) / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value, indent=2))

    return save


def _round(root, stage, miners, prompts, cdn, **settings):
    """What every round has, whatever its stage."""
    save = saver(root)
    save("config.json", dict(name="bench", description="", first_evaluation_date="2026-03-02", last_competition_date="2026-06-30",
         round_start_time="08:00:00", generation_stage_minutes=120, finalization_buffer_hours=1.0, win_margin=0.05, weight_decay=0.05,
         weight_floor=0.1, prompts_per_round=len(prompts), carryover_prompts=0, round_duration_days=1, **settings))
    save("state.json", dict(current_round=0, stage=stage, next_stage_eta=None))
    save("leader.json", [dict(hotkey=hotkey(LEADER), repo="leader/one", commit="f" * 40, docker="image", weight=1.0, effective_block=0)])
    save("rounds/0/schedule.json", dict(earliest_reveal_block=1, latest_reveal_block=2, generation_deadline_block=DEADLINE))
    save("rounds/0/submissions.json", {hotkey(n): dict(repo=f"m/{n}", commit=f"{n:040}", cdn_url=cdn(n), revealed_at_block=2,
         round="bench-0") for n in range(miners)})
    save("rounds/0/seed.json", '{"seed": 847291}')
    text = "\n".join(f"https://prompts.example.org/{stem}.png" for stem in prompts)
    save("prompts.txt", text)
    save("rounds/0/prompts.txt", text)
    return save


def to_download(root, miners, prompts, cdn):
    """A round whose miners' files are at `cdn(miner)/PROMPT.glb`, ready for `download`."""
    _round(root, "miner_generation", miners, [f"{n:03}" for n in range(prompts)], cdn)


def to_duel(root, miners, prompts):
    """A round whose previews are recorded, ready for `duel`."""
    stems = sorted(sha(str(n)) for n in range(prompts))
    save = _round(root, "duels", miners, stems, lambda n: "https://x.example.org")

    def outputs(player, kind):
        base = f"https://store.example.org/rounds/0/{player}/{kind}"
        save(f"rounds/0/{player}/{kind}.json", {stem: dict(glb=f"{base}/{stem}.glb", png=f"{base}/{stem}.png",
             generation_time=0.0, size=1, attempts=0, distance=0.0) for stem in stems})
        files = sorted(f"{kind}/{stem}.{kind_of}" for stem in stems for kind_of in ("glb", "png"))
        save(f"rounds/0/{player}/SHA256SUMS", "\n".join(f"{sha(player + file)}  {file}" for file in files))

    outputs("leader", "generated")
    for n in range(miners):
        outputs(hotkey(n), "submitted")


def to_duel_in_stages(root, miners, prompts, views):
    """A round of three.js modules whose views are at `views`, ready for `duel`."""
    stems = sorted(sha(str(n)) for n in range(prompts))
    save = _round(root, "duels", miners, stems, lambda n: "https://x.example.org", audit_repeats=3)
    save("rounds/0/builds.json", {hotkey(n): dict(repo=f"m/{n}", commit=f"{n:040}", revealed_at_block=2, tag="t", status="success",
         docker_image="image") for n in range(miners)})

    def outputs(player, kind):
        base = f"{views}/rounds/0/{player}/{kind}"
        save(f"rounds/0/{player}/{kind}.json", {stem: dict(js=f"{base}/{stem}.js", views=f"{base}/{stem}", failure_reason=None, size=1)
             for stem in stems})

    outputs("leader", "generated_1")
    for n in range(miners):
        outputs(hotkey(n), "submitted")


def cloned(bench, name):
    """A checkout of a bundle of ../shared (or GEN404_SHARED), or None."""
    bundle, to = bench.shared / name, bench.out / "made" / pathlib.Path(name).stem
    if not bundle.exists():
        return None
    if not to.exists():
        heads = subprocess.run(["git", "bundle", "list-heads", bundle], check=True, stdout=subprocess.PIPE, text=True).stdout
        branch = next(line.split("refs/heads/")[1] for line in heads.splitlines() if "refs/heads/" in line)
        subprocess.run(["git", "clone", "--quiet", "--branch", branch, bundle, to], check=True)
    return to


def sandbox(bench, rounds, miners, prompts):
    """A competition that `gen404 sandbox` has played."""
    to = bench.out / "made" / f"sandbox_{rounds}_{miners}_{prompts}"
    if not (to / "played").exists():
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir(parents=True)
        print(f"playing {to.name}", file=sys.stderr, flush=True)
        command = [bench.program, "sandbox", to / "play", "--rounds", rounds, "--miners", miners, "--prompts", prompts, "--port", 0, "-q"]
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
        (to / "played").touch()
    return next(path.parent for path in (to / "play").rglob("config.json") if (path.parent / ".git").exists())


def history(bench, source, name, *how):
    """A competition with a long history, by scripts/long_history."""
    to = bench.out / "made" / name
    if not (to / "state.json").exists():
        shutil.rmtree(to, ignore_errors=True)
        print(f"making {name}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, ROOT / "scripts/long_history", source, to, *map(str, how)], check=True, stdout=subprocess.DEVNULL)
    return to
