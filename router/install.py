#!/usr/bin/env python3
"""Sets up the sidecar's Python in third_party/router, for the processor: `make setup-router-sidecar`.

PyPI's PyTorch for x86-64 comes with 4 GB of NVIDIA's libraries. Here the wheel alone is installed, and `stubs.py` builds
empty libraries in their place: 1.6 GB on disk, 550 MB to fetch. For a GPU install requirements.txt the usual way.
Run again, it returns at once; interrupted, it begins again.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SIZE_GB = 4


def install(folder: Path):
    stamp = folder / "ready.json"
    wanted = {"requirements": digest(HERE / "requirements.txt"), "stubs": digest(HERE / "stubs.py"), "python": sys.version}
    try:
        if json.loads(stamp.read_text()) == wanted:
            return
    except (OSError, ValueError):
        pass
    room = shutil.disk_usage(folder.parent if folder.parent.exists() else HERE).free
    if room < SIZE_GB << 30:
        sys.exit(f"setup: {folder.parent} has {room >> 30} GB free, {SIZE_GB} are needed. Remedy: make room.")
    begun = time.monotonic()
    print("setup: getting PyTorch and transformers from PyPI (about 600 MB)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(folder)], "apt-get install python3-venv")
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--progress-bar=off"]
    run([*pip, "--no-deps", "--only-binary=:all:", "--requirement", str(HERE / "requirements.txt")],
        "see what pip said above; PyPI has to be reached, and Python has to be 3.11 or newer")
    python = folder / "bin" / "python"
    [site] = folder.glob("lib/python*/site-packages")
    sys.path.insert(0, str(HERE))
    import stubs

    made = stubs.build(site)
    run([str(python), "-c", "import torch, torchvision, transformers, zenoh"],
        "install router/requirements.txt the usual way (5.9 GB)")
    stamp.write_text(json.dumps(wanted) + "\n")
    print(f"setup: {folder} is ready, with {made} empty CUDA libraries, after {time.monotonic() - begun:.0f} s")


def run(command: list[str], remedy: str):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    except OSError as error:
        sys.exit(f"setup: {error}\n  Remedy: {remedy}")
    if done != 0:
        sys.exit(f"setup: {' '.join(command[:4])} ... ended with {done}\n  Remedy: {remedy}")


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=HERE.parent / "third_party" / "router", metavar="DIR")
    install(parser.parse_args().into.absolute())
