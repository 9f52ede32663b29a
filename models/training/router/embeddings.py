"""Sentences to the numbers of our own encoder: `reflexd-router embed` works them out, and says which encoder it is."""

import json
import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from piper_skills.paths import REPOSITORY

# The program that is at hand; REFLEXD_ROUTER names another.
COMMAND = "cargo run --locked --quiet --release --bin reflexd-router --"
CHUNK = 4000


def embed(texts):
    """(n, 1024), which of the texts were understood (n,), and the encoder's identity."""
    command = shlex.split(os.environ.get("REFLEXD_ROUTER", COMMAND))
    parts, understood, identity = [], [], None
    with tempfile.TemporaryDirectory() as folder:
        lines, rows = Path(folder) / "lines.txt", Path(folder) / "rows.npy"
        for begin in range(0, len(texts), CHUNK):
            chunk = list(enumerate(texts[begin : begin + CHUNK]))
            known = np.ones(len(chunk), bool)
            while True:
                lines.write_text("".join(f"{text}\n" for _, text in chunk))
                done = subprocess.run([*command, "embed", str(lines), "--out", str(rows)], cwd=REPOSITORY, capture_output=True, text=True)
                if done.returncode == 0:
                    break
                # One that has no known word in it: a misspelt "eat", for example. It is left out.
                line = re.search(r"line (\d+): none of the words", done.stderr)
                if line is None:
                    raise SystemExit(f"{' '.join(command)} embed: {done.stderr.strip()}")
                known[chunk.pop(int(line.group(1)) - 1)[0]] = False
            embedded = np.zeros((len(known), 1024), np.float32)
            embedded[known] = np.load(rows)
            parts.append(embedded)
            understood.append(known)
            identity = json.loads(done.stdout.strip().splitlines()[-1])["encoder"]
    return np.concatenate(parts), np.concatenate(understood), identity
