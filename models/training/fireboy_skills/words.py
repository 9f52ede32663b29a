"""Embeddings of the phrases, by the daemon's own encoder: `reflexd-router embed` is asked once and the answer kept."""

import json
import subprocess
import tempfile
import tomllib
from pathlib import Path

import numpy as np

from .paths import PHRASES

WIDTH = 1024
MEAN, STD = 0.0, 0.0625  # one for all: rare words' numbers must not shout. A vector of length 1 has a spread of 1/32
CLIP = 10.0  # within the network: loud words are no louder than this
KNOWN = 20.0  # no number of a vector of length 1 comes near it: none is out of the distribution
HELD_OUT = 6  # every so many-th phrase is not trained on


class Words:
    """`command` reads instructions, one a line, and writes `[n, 1024]` to its last argument."""

    def __init__(self, command):
        phrases = tomllib.loads(PHRASES.read_text())
        lines = [line for each in phrases.values() for line in each]
        with tempfile.TemporaryDirectory() as folder:
            text, numbers = Path(folder) / "phrases.txt", Path(folder) / "phrases.npy"
            text.write_text("\n".join(lines) + "\n")
            call = [part.format(text=text, numbers=numbers) for part in command.split()]
            with text.open() as stream:
                done = subprocess.run(call, stdin=stream, check=True, capture_output=True, text=True)
            vectors = np.load(numbers).astype(np.float32)
        self.identity = json.loads(done.stdout)["encoder"]  # name, prompt, fingerprint
        assert vectors.shape == (len(lines), WIDTH), vectors.shape
        self.vectors, at = {}, 0
        for name, each in phrases.items():
            self.vectors[name] = vectors[at : at + len(each)]
            at += len(each)

    def training(self, skill):
        keep = np.arange(len(self.vectors[skill])) % HELD_OUT != HELD_OUT - 1
        return self.vectors[skill][keep]

    def held_out(self, skill):
        return self.vectors[skill][HELD_OUT - 1 :: HELD_OUT]

    @staticmethod
    def normalised(told):
        return ((told - MEAN) / STD).clip(-CLIP, CLIP).astype(np.float32)

    def draw(self, skill, rng, count):
        """What a head may be told in training: mostly its own phrases, with noise; at times nothing, or another's."""
        own, rest = self.training(skill), np.concatenate([each for name, each in self.vectors.items() if name != skill])
        told = own[rng.integers(0, len(own), count)].copy()
        kind = rng.uniform(size=count)
        told[kind < 0.15] = 0.0
        other = (kind >= 0.15) & (kind < 0.35)
        told[other] = rest[rng.integers(0, len(rest), other.sum())]
        noise = rng.normal(0.0, 1.0, told.shape) * rng.uniform(0.0, 0.02, (count, 1))
        noise[rng.uniform(size=count) < 0.3] = 0.0
        return self.normalised(told + noise)
