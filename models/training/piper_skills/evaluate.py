"""Closed loop on cases that no training saw, beside the daemon's own evaluation: `reflexd eval` is the judge.

    python -m piper_skills.evaluate [SKILL...] [--episodes N] [--seed S]

Moves are judged on servos that lag, grasps on contact and friction; nothing pushes the arm here.
"""

import argparse
import os
import tomllib
from pathlib import Path

import numpy as np

from .episodes import Trace
from .layout import commands
from .network import NOISE
from .paths import HEADS
from .safety import Filter
from .skills import SKILLS, TARGET_ERROR_M, Conditions

EXECUTE = (1, 2, 4, 8)
EVALUATION_SEED = 20_000_000  # training seeds count up from its own; these do not meet


def closed_loop(skill, policy, episodes, seed, conditions, execute):
    """Seconds until success, (episodes,), infinite where there was none."""
    rng = np.random.default_rng(seed)
    batch = skill.evaluation(rng, episodes, conditions)
    filtered = Filter(batch.start)
    trace = Trace(batch.start, skill.evaluate_ticks)
    told = np.full(episodes, conditions.told)
    took_s = np.full(episodes, np.inf)
    plan, step = None, 0
    for tick in range(skill.evaluate_ticks):
        measured = trace.measured[tick] = batch.world.measured()
        if conditions.noise:
            trace.measured[tick] += rng.normal(0.0, NOISE, (episodes, 7))
        batch.judge.see(measured, batch.world.thing_m())
        took_s = np.where(batch.judge.done & np.isinf(took_s), tick * 0.050, took_s)
        if np.isfinite(took_s).all():
            break
        # Asked `late_ticks` ago; until the first answer the arm stands.
        late = conditions.late_ticks
        if tick >= late and (plan is None or (tick - late) % execute == 0):
            observation = trace.observe(tick, np.full(episodes, late), told, batch.decision)
            plan, step = policy(observation), 0 if conditions.told else late
        wish = filtered.command if plan is None else plan[:, step]
        step += 1
        batch.world.tick(filtered.admit(wish))
        trace.commands[tick + 1] = filtered.command
    batch.world.close()
    return took_s


def onnx_policy(skill, path):
    # The official builds upload telemetry unless told before the first import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def policy(observations):
        rows = skill.layout.normalise(observations)
        return commands(np.concatenate([session.run(["action"], {"observation": row[None]})[0] for row in rows]))

    return policy


STRATA = {
    "clean": Conditions(),
    "noise": Conditions(noise=True),
    "latency 1 tick": Conditions(late_ticks=1),
    "friction and mass": Conditions(friction=(0.5, 2.0), mass=(0.5, 2.0)),
    "target error": Conditions(target_error_m=TARGET_ERROR_M),
    "anywhere": Conditions(starts="anywhere"),
    "told 2": Conditions(late_ticks=2, told=True),
    "told 4": Conditions(late_ticks=4, told=True),
    "told 8": Conditions(late_ticks=8, told=True),
    "untold 4": Conditions(late_ticks=4),
}


def table(skill, policy, episodes, seed=EVALUATION_SEED, execute=EXECUTE, strata=STRATA):
    """Successes by stratum and steps executed: {name: {execute: (count, median s)}}."""
    result = {}
    for name, conditions in strata.items():
        result[name] = {}
        for each in execute:
            took_s = closed_loop(skill, policy, episodes, seed, conditions, each)
            result[name][each] = (int(np.isfinite(took_s).sum()), float(np.median(took_s)))
    return result


def show(result, episodes):
    for name, row in result.items():
        cells = "".join(f"  {count:>4} of {episodes} ({seconds:4.1f} s) by {each}" for each, (count, seconds) in row.items())
        print(f"  {name:<18}{cells}", flush=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("skills", nargs="*", default=list(SKILLS))
    arguments.add_argument("--heads", type=Path, default=HEADS)
    arguments.add_argument("--episodes", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=EVALUATION_SEED)
    arguments.add_argument("--execute", type=int, nargs="*", default=EXECUTE)
    arguments = arguments.parse_args()
    for name in arguments.skills:
        path = arguments.heads / f"piper_{name}.toml"
        manifest = tomllib.loads(path.read_text())
        print(manifest["name"], flush=True)
        policy = onnx_policy(SKILLS[name], path.parent / manifest["onnx"])
        show(table(SKILLS[name], policy, arguments.episodes, arguments.seed, arguments.execute), arguments.episodes)


if __name__ == "__main__":
    main()
