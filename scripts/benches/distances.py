"""Embeddings by DINOv3, beside transformers and ONNX Runtime: scripts/time_distances, where a build with the model is at hand."""

import re, subprocess

from .measure import Timed

ABOUT = "DINOv3 beside transformers and ONNX Runtime; needs --embed FILE (docs/distances.md)"


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
    rates = {name: [float(rate) for rate in found.split(", ")] for name, found in re.findall(r"^(\w+): [\d.]+ images/s \((.*)\)$", told, re.M)}
    took = {name: [32 / rate for rate in rates[name]] for name in ("gen404", *(name for name in rates if name != "gen404"))}
    if "onnxruntime" not in took:
        bench.skip("onnxruntime", "pip install onnxruntime onnxscript")
    for name, runs in took.items():
        pairs = [theirs / ours for ours, theirs in zip(took["gen404"], runs)] if name != "gen404" else ()
        bench.record("32 pictures", name, " ".join(command), [Timed(wall) for wall in runs], pairs)
