"""A small head beside `pick_up`: at each tick an offset to the set-point that is due, from what is measured now.

    python -m piper_skills.correction [--seed S] [--out DIR]

The base head's chunks come late and untold, as on a slow machine; the label is what the teacher would send at this tick,
less what is due. Corrections are small by contract, so labels end at the limits.
"""

import argparse
from pathlib import Path

import numpy as np

from . import law, network
from .episodes import KICK_CHANCE, KICK_RAD_S, Trace
from .export import read, write_correction
from .layout import BASE, JOINT_MEAN, JOINT_STD, LAST, MEASURED, Layout, commands
from .paths import HEADS
from .safety import Filter
from .skills import SKILLS, Conditions

LIMITS = np.array([0.05] * 6 + [0.010])  # rad, m
EPISODES, ROUNDS = 384, 3
BATCHES, BATCHES_LAST = 2000, 5000
LATE_MAX_TICKS, EXECUTE = 8, 8

SKILL = SKILLS["pick_up"]
LAYOUT = Layout(SKILL.layout.params, ((LAST, MEASURED), (BASE, LAST)), (tuple(JOINT_MEAN), tuple(JOINT_STD)))


def run(base, episodes, ticks, late, rng, correct=None, kicks=False):
    """Follows late chunks, corrected or not: observations, labels, and seconds until success."""
    count = len(episodes.start)
    filtered, trace = Filter(episodes.start), Trace(episodes.start, ticks)
    goal = SKILL.teacher.goal(episodes.decision)
    plan, asked = np.repeat(episodes.start[:, None], law.CHUNK_STEPS, 1), np.full(count, -EXECUTE)
    took_s = np.full(count, np.inf)
    observations, labels = [], []
    kick = np.zeros((count, 7))
    for tick in range(ticks):
        measured = trace.measured[tick] = episodes.world.measured()
        episodes.judge.see(measured, episodes.world.thing_m())
        took_s = np.where(episodes.judge.done & np.isinf(took_s), tick * law.TICK_S, took_s)
        ask = (tick >= late) & (tick - late - asked >= EXECUTE)
        if ask.any():
            plan[ask] = base(trace.observe(tick, late, np.zeros(count, bool), episodes.decision)[ask])
            asked = np.where(ask, tick - late, asked)
        step = np.where(asked < 0, 0, tick - asked)
        step = np.minimum(step, law.CHUNK_STEPS - 1)
        due = np.where((asked < 0)[:, None], filtered.command, plan[np.arange(count), step])
        seen = np.concatenate([measured, filtered.command, due, episodes.decision], axis=1)
        wanted, _ = SKILL.teacher.step(filtered.command, filtered.rate, measured[:, 6], goal)
        observations.append(seen.astype(np.float32))
        labels.append(np.clip(wanted - due, -LIMITS, LIMITS).astype(np.float32))
        wish = due if correct is None else due + correct(seen)
        if kicks:
            hit = rng.uniform(size=(count, 1)) < KICK_CHANCE
            kick[:, :6] = np.where(hit, rng.uniform(-KICK_RAD_S, KICK_RAD_S, (count, 6)), 0.8 * kick[:, :6])
            wish = wish + kick * law.TICK_S
        episodes.world.tick(filtered.admit(wish))
        trace.commands[tick + 1] = filtered.command
    episodes.world.close()
    return np.concatenate(observations), np.concatenate(labels), took_s


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, default=HEADS)
    arguments = arguments.parse_args()
    rng = np.random.default_rng(arguments.seed)
    folded = read(arguments.out / f"piper_{SKILL.name}.onnx")
    base = lambda o: commands(network.run(folded, SKILL.layout.normalise(o)))

    unit = LIMITS / 5.0
    weights = network.start(LAYOUT, 7, arguments.seed)
    every, answers, correct = [], [], None
    for turn in range(ROUNDS + 1):
        late = rng.integers(0, LATE_MAX_TICKS + 1, EPISODES)
        cases = SKILL.training(rng, EPISODES)
        observations, labels, _ = run(base, cases, SKILL.train_ticks, late, rng, correct, kicks=True)
        every.append(observations)
        answers.append(labels)
        batches, rates = (BATCHES_LAST, (5e-4, 1e-5)) if turn == ROUNDS else (BATCHES, (1e-3, 1e-4))
        seen, wanted = np.concatenate(every), np.concatenate(answers)
        weights, error = network.fit(LAYOUT, unit, weights, seen, wanted, batches, rates, rng)
        offsets = network.fold_plain(LAYOUT, weights, unit / LIMITS)
        correct = lambda o, offsets=offsets: LIMITS * network.run(offsets, LAYOUT.normalise(o))
        print(f"correction, round {turn}: {len(seen)} states, error {error:.4f}", flush=True)
    write_correction(SKILL, LAYOUT, LIMITS, arguments.out, offsets, seen, arguments.seed)

    for ticks in (0, 2, 4, 8):
        for name, each in (("plain", None), ("corrected", correct)):
            cases = SKILL.evaluation(np.random.default_rng(7), 100, Conditions(target_error_m=0.005))
            _, labels, took_s = run(base, cases, SKILL.evaluate_ticks, np.full(100, ticks), rng, each)
            lifted = np.isfinite(took_s)
            print(f"  {ticks} ticks late, {name}: {lifted.sum()} of 100, median {np.median(took_s):.1f} s", flush=True)


if __name__ == "__main__":
    main()
