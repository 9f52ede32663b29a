"""From nothing to models/heads/<robot>_router.{onnx,toml}.

    python -m router [ROBOT...] [--seed S] [--out DIR] [--batches N] [--choose]
"""

import argparse
import multiprocessing
import time
from pathlib import Path

import numpy as np

from piper_skills.paths import HEADS

from . import data, export, labels, network
from .scenes import ROBOTS, states

SENTENCES, SENTENCES_VALIDATION, SCENES = 40_000, 2_000, 300_000
BATCHES = 4_500
RATES = (2e-3, 1e-5)
# Of the embedding one for all: rare coordinates would explode otherwise, and unseen words shout.
EMBEDDING_STD = 0.06
STATE_STD_MIN = 0.05
GOLDENS = 4


def train(robot, seed, out, batches, split):
    begun = time.monotonic()

    def say(text):
        print(f"{time.monotonic() - begun:6.0f} s  {robot.name}: {text}", flush=True)

    rng = np.random.default_rng(seed)
    said, embedded, identity = data.sentences(split, seed, SENTENCES)
    held = data.rows(robot, "validation", seed, SENTENCES_VALIDATION)
    say(f"{len(said)} sentences, encoder {identity['name']} {identity['fingerprint'][:12]}")

    meant = labels.meaning(said)
    pool = states(robot, np.random.default_rng([data.SPLIT_SEEDS["train"] + seed, 1]), SCENES)
    some = labels.params(robot, meant[rng.integers(0, len(meant), len(pool))], pool)
    scales = {
        "embedding": (np.zeros(1), np.array([EMBEDDING_STD])),
        "state": (np.round(pool.mean(0), 4), np.round(np.maximum(pool.std(0), STATE_STD_MIN), 4)),
        "params": (np.round(some.mean(0), 4), np.round(np.maximum(some.std(0), 1e-3), 4)),
    }
    normalise = lambda name, values: np.clip((values - scales[name][0]) / scales[name][1], -export.CLIP, export.CLIP).astype(np.float32)
    seen = normalise("state", pool)

    def scenes(rng, count):
        rows = rng.integers(0, len(pool), count)
        return pool[rows], seen[rows]

    def answers(meant, scenes):
        return ((labels.params(robot, meant, scenes) - scales["params"][0]) / scales["params"][1]).astype(np.float32)

    def ask(weights, embeddings, states):
        logits, params = network.run(weights, np.concatenate([normalise("embedding", embeddings), normalise("state", states)], 1))
        return logits, params * scales["params"][1] + scales["params"][0]

    def watch(at, weights, losses):
        logits, params = ask(weights, held.embeddings, held.states)
        errors = np.abs(params - held.params).mean(0)
        say(
            f"{at} batches: entropy {losses[0]:.4f}, error {losses[1]:.4f}; validation: "
            f"{(logits.argmax(1) == held.skills).mean():.2%} right, MAE {errors.mean():.4f} {errors.round(4).tolist()}"
        )

    weights = network.fit(network.start(seed), normalise("embedding", embedded), meant, scenes, answers, batches, RATES, rng, watch)
    picked = rng.choice(len(held.said), GOLDENS, replace=False)
    # What the fields of the manifest are rounded to is what the proof is worked out from.
    logits, params = ask(weights, held.embeddings[picked], held.states[picked])
    goldens = [(held.said[at].text, held.states[at], a, b) for at, a, b in zip(picked, logits, params)]
    path = export.write(out, robot.name, weights, scales, identity, goldens, seed, len(said))
    say(f"written: {path}")


def main():
    parser = argparse.ArgumentParser(prog="router")
    parser.add_argument("robots", nargs="*", default=list(ROBOTS), metavar="ROBOT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HEADS)
    parser.add_argument("--batches", type=int, default=BATCHES)
    parser.add_argument("--choose", action="store_true", help="learn from the split `train` alone: validation and test are unseen then")
    arguments = parser.parse_args()
    unknown = set(arguments.robots) - set(ROBOTS)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: name some of {', '.join(ROBOTS)}")
    split = "train" if arguments.choose else "known"
    data.sentences(split, arguments.seed, SENTENCES)  # the same for all robots: worked out once
    fork = multiprocessing.get_context("fork")
    each = [fork.Process(target=train, args=(ROBOTS[name], arguments.seed, arguments.out, arguments.batches, split)) for name in arguments.robots]
    for process in each:
        process.start()
    for process in each:
        process.join()
    raise SystemExit(any(process.exitcode for process in each))


if __name__ == "__main__":
    main()
