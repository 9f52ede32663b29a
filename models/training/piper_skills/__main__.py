"""From nothing to models/heads/piper_<skill>.{onnx,toml}.

    python -m piper_skills [SKILL...] [--seed S] [--out DIR]
"""

import argparse
import time
from pathlib import Path

import numpy as np

from . import network
from .episodes import collect, standing
from .evaluate import STRATA, onnx_policy, show, table
from .export import write
from .law import CHUNK_STEPS
from .layout import commands
from .paths import HEADS
from .skills import SKILLS

EPISODES_TEACHER, EPISODES_ROUND = 768, 448
STANDING = 20_000
ROUNDS = 4
BATCHES_FIRST, BATCHES_ROUND, BATCHES_LAST = 4000, 2000, 12000
RATE, RATE_LAST = 1e-3, 1e-5


def train(skill, seed, out, steps):
    begun = time.monotonic()
    rng = np.random.default_rng(seed)

    def say(text):
        print(f"{time.monotonic() - begun:6.0f} s  {skill.name}: {text}", flush=True)

    observations, labels, done = collect(skill, rng, EPISODES_TEACHER)
    labels = labels[:, :steps]
    unit = network.change_unit(observations, labels)
    say(f"teacher: {len(observations)} states, {done:.0%} succeeded")
    still, answers = standing(skill, rng, STANDING)
    observations, labels = np.concatenate([observations, still]), np.concatenate([labels, answers[:, :steps]])

    def fit(weights, batches, rates):
        answers = network.changes(observations, labels)
        return network.fit(skill.layout, unit, weights, observations, answers, round(skill.effort * batches), rates, rng)

    weights, loss = fit(network.start(skill.layout, len(unit), seed), BATCHES_FIRST, (RATE, RATE / 5))
    say(f"first fit: error {loss:.4f}")

    for turn in range(1, ROUNDS + 1):
        # The head acts, the teacher corrects: the states of its own mistakes join the data.
        folded = network.fold(skill.layout, weights, unit)
        policy = lambda o, folded=folded: commands(network.run(folded, skill.layout.normalise(o)))
        more, answers, done = collect(skill, rng, EPISODES_ROUND, policy, steps)
        observations, labels = np.concatenate([observations, more]), np.concatenate([labels, answers[:, :steps]])
        last = turn == ROUNDS
        batches = BATCHES_LAST if last else BATCHES_ROUND
        rates = (RATE / 2, RATE_LAST if last else RATE / 10)
        weights, loss = fit(weights, batches, rates)
        say(f"round {turn}: the head's own {done:.0%} succeeded; {len(observations)} states, error {loss:.4f}")

    return write(skill, out, network.fold(skill.layout, weights, unit), observations, seed)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("skills", nargs="*", default=list(SKILLS))
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, default=HEADS)
    arguments.add_argument("--steps", type=int, default=CHUNK_STEPS, help="of a chunk: 1 for the comparison in the README")
    arguments.add_argument("--episodes", type=int, default=100, help="of each row of the evaluation afterwards")
    arguments = arguments.parse_args()
    chunked = arguments.steps > 1
    strata = {name: each for name, each in STRATA.items() if chunked or each.told or not each.late_ticks}
    for name in arguments.skills:
        path = train(SKILLS[name], arguments.seed, arguments.out, arguments.steps)
        policy = onnx_policy(SKILLS[name], path)
        result = table(SKILLS[name], policy, arguments.episodes, execute=(1, 8)[: 1 + chunked], strata=strata)
        show(result, arguments.episodes)


if __name__ == "__main__":
    main()
