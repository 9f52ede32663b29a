"""Sentences in scenes: what is trained on, and the held-out rows, which a file can hold."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from . import labels, phrases
from .embeddings import embed
from .scenes import STATE_SIZE, states

# Seeds of the splits are apart from each other as well; a fresh test is another `draw`.
SPLIT_SEEDS = {"train": 1_000, "validation": 2_000, "test": 3_000, "reserve": 4_000, "known": 5_000}
DIGITS = 3  # of what a file of rows holds: mm


@dataclass
class Rows:
    """What was said, in which scene, and what is right."""

    said: list
    states: np.ndarray
    embeddings: np.ndarray
    skills: np.ndarray
    params: np.ndarray
    identity: dict


@cache
def sentences(split, seed, count):
    """Different ones that the encoder understands, their embeddings and its identity."""
    said = phrases.sentences(np.random.default_rng(SPLIT_SEEDS[split] + seed), split, count)
    embedded, understood, identity = embed([each.text for each in said])
    return [each for each, known in zip(said, understood) if known], embedded[understood], identity


def rows(robot, split, seed, count):
    """One scene a sentence; states rounded as a file holds them, and what is right worked out from these."""
    said, embedded, identity = sentences(split, seed, count + count // 8)
    said, embedded = said[:count], embedded[:count]
    seen = np.round(states(robot, np.random.default_rng([SPLIT_SEEDS[split] + seed, 1]), count), DIGITS) + 0.0
    meant = labels.meaning(said)
    return Rows(said, seen, embedded, meant[:, 0], labels.params(robot, meant, seen), identity)


def save(path, kept):
    """Tab-separated text: what was said, the skill, six parameters, 42 numbers of robot and scene."""
    short = lambda value: f"{value:.{DIGITS}f}".rstrip("0").rstrip(".").replace("-0.", "-.").removeprefix("0") or "0"
    with path.open("w") as file:
        for at, said in enumerate(kept.said):
            numbers = [*kept.params[at], *kept.states[at]]
            assert len(numbers) == 6 + STATE_SIZE
            file.write("\t".join([said.text, said.skill, *map(short, numbers)]) + "\n")
