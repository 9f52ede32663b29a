"""Episodes, training, export, evaluation: from nothing to models/heads/piper_pick_up.{onnx,toml}.

    python -m piper_pick_up [--seed S] [--out DIR]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from . import network
from .episodes import collect, standing
from .evaluate import EVALUATION_SEED, onnx_policy, show, table
from .export import write
from .observation import commands, normalise
from .paths import HEADS

TICKS = 140  # 7 s: twice a pick-up at half speed
EPISODES_EXPERT = 768
EPISODES_ROUND = 384
STANDING = 30_000
ROUNDS = 4
EPOCHS_FIRST, EPOCHS_ROUND, EPOCHS_LAST = 20, 8, 30
RATE, RATE_LAST = 1e-3, 1e-5


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, default=HEADS)
    arguments.add_argument("--episodes", type=int, default=200, help="of each row of the evaluation")
    arguments = arguments.parse_args()
    begun = time.monotonic()
    rng = np.random.default_rng(arguments.seed)

    def say(text):
        print(f"{time.monotonic() - begun:6.0f} s  {text}", flush=True)

    observations, labels, lifted = collect(rng, EPISODES_EXPERT, TICKS)
    say(f"expert: {len(observations)} states, {lifted.mean():.0%} lifted")
    unit = network.change_unit(observations, labels)
    still, answers = standing(rng, STANDING)
    observations, labels = np.concatenate([observations, still]), np.concatenate([labels, answers])
    weights, loss = network.fit(
        network.start(arguments.seed), observations, labels, unit, EPOCHS_FIRST, RATE, RATE / 5, arguments.seed
    )
    say(f"first fit: error {loss:.4f}")

    for turn in range(1, ROUNDS + 1):
        # The head acts, the expert corrects: the states of its own mistakes join the data.
        folded = network.fold(weights, unit)
        policy = lambda o, folded=folded: commands(network.run(folded, normalise(o)))
        more, answers, lifted = collect(rng, EPISODES_ROUND, TICKS, policy)
        observations, labels = np.concatenate([observations, more]), np.concatenate([labels, answers])
        last = turn == ROUNDS
        weights, loss = network.fit(
            weights,
            observations,
            labels,
            unit,
            EPOCHS_LAST if last else EPOCHS_ROUND,
            RATE / 2,
            RATE_LAST if last else RATE / 10,
            arguments.seed + turn,
        )
        say(f"round {turn}: head lifted {lifted.mean():.0%}; {len(observations)} states, error {loss:.4f}")

    say("evaluation of the exported file")
    onnx = write(arguments.out, network.fold(weights, unit), observations, arguments.seed)
    result = table(onnx_policy(onnx), arguments.episodes, EVALUATION_SEED)
    show(result, arguments.episodes)
    write(arguments.out, network.fold(weights, unit), observations, arguments.seed, result, arguments.episodes)
    say("done")


if __name__ == "__main__":
    main()
