"""Embeddings by DINOv3, beside transformers: scripts/time_distances, where a build with the model is at hand."""

import re, subprocess

from .measure import Timed

ABOUT = "DINOv3 beside transformers; needs --embed FILE (docs/distances.md)"


def run(bench):
    python, shared = bench.reference or bench.peers / "bin/python", bench.shared / "dinov3"
    if not bench.embed or not shared.exists():
        bench.skip("distances", "cargo build --release --features dinov3 --example embed, and --embed FILE; needs ../shared/dinov3")
        return
    if subprocess.run([python, "-c", "import torch, torchvision, transformers"], capture_output=True).returncode:
        bench.skip("transformers", "pip install torch torchvision transformers")
        return
    command = [python, "scripts/time_distances", shared, "--embed", bench.embed, "--rounds", bench.runs(7, 3)]
    command = [str(word) for word in command]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(told, end="")
    took = {name: [32 / float(rate) for rate in re.search(rf"^{name}: .*\((.*)\)$", told, re.M)[1].split(", ")] for name in ("gen404", "reference")}
    pairs = [theirs / ours for ours, theirs in zip(*took.values())]
    for name, runs in took.items():
        bench.record("32 pictures", name, " ".join(command), [Timed(wall) for wall in runs], pairs if name == "reference" else ())
