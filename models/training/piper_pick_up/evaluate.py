"""Closed loop on berries that no training saw: how often is the berry up and held?

    python -m piper_pick_up.evaluate [head.toml] [--episodes N] [--seed S]

Success: the berry's centre at least 80 mm above its rest for one second on end, within ten seconds.
"""

import argparse
import os
import tomllib
from pathlib import Path

import numpy as np

from .episodes import berries, starts_anywhere, starts_at_home
from .expert import CHUNK_STEPS
from .observation import commands, normalise, observe
from .paths import HEADS
from .safety import Filter
from .world import World

TICKS = 200
EXECUTE = (1, 2, 4, 8)
EVALUATION_SEED = 20_000_000  # training seeds count up from its own; these do not meet


def closed_loop(policy, execute, episodes, seed, starts=starts_at_home, vary=False, fade_ticks=0, late_ticks=0, aim_error_m=0.0):
    """Seconds until success, (episodes,), infinite where there was none.

    `fade_ticks` blends the first ticks of a chunk with what is left of the one before; `late_ticks` is
    how long after its observation a chunk arrives, at the step that is then due.
    """
    rng = np.random.default_rng(seed)
    world = World(episodes, rng, vary)
    filtered = Filter(starts(rng, episodes))
    world.reset(filtered.command, berries(rng, episodes))
    decision = np.zeros((episodes, 6))
    decision[:, :3] = world.berry_m() + rng.uniform(-aim_error_m, aim_error_m, (episodes, 3))
    decision[:, 3] = world.radius_m
    decision[:, 4:] = 1.0

    took_s = np.full(episodes, np.inf)
    chunks = []  # (tick of the observation, chunk), newest last
    for tick in range(TICKS):
        if tick % execute == 0:
            chunks.append((tick, policy(observe(world.measured(), filtered.command, decision))))
        arrived = [each for each in chunks if each[0] + late_ticks <= tick]
        chunks = arrived[-2:] + chunks[len(arrived) :]
        world.tick(filtered.admit(_wish(arrived[-2:], tick, late_ticks, fade_ticks, filtered.command)))
        took_s = np.where(world.lifted & np.isinf(took_s), (tick + 1) * 0.050, took_s)
        if np.isfinite(took_s).all():
            break
    world.pool.close()
    return took_s


def _wish(arrived, tick, late_ticks, fade_ticks, hold):
    if not arrived:
        return hold
    asked, chunk = arrived[-1]
    step = tick - asked
    wish = chunk[:, step]
    since = step - late_ticks
    if len(arrived) == 2 and since < fade_ticks and tick - arrived[0][0] < CHUNK_STEPS:
        new = (since + 1) / (fade_ticks + 1)
        wish = new * wish + (1.0 - new) * arrived[0][1][:, tick - arrived[0][0]]
    return wish


def onnx_policy(path):
    # The official builds upload telemetry unless told before the first import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def policy(observations):
        rows = normalise(observations)
        return commands(np.concatenate([session.run(["action"], {"observation": row[None]})[0] for row in rows]))

    return policy


CONDITIONS = {
    "home": {},
    "home, fade 2": {"fade_ticks": 2},
    "2 ticks late": {"late_ticks": 2, "fade_ticks": 2},
    "anywhere": {"starts": starts_anywhere},
    "varied": {"vary": True, "aim_error_m": 0.003},
}


def table(policy, episodes, seed, conditions=CONDITIONS):
    """Successes by condition and steps executed: {name: {execute: (count, median s)}}."""
    result = {}
    for name, kind in conditions.items():
        result[name] = {}
        for execute in EXECUTE:
            took_s = closed_loop(policy, execute, episodes, seed, **kind)
            done = np.isfinite(took_s)
            result[name][execute] = (int(done.sum()), float(np.median(took_s)))
    return result


def show(result, episodes):
    print(f"{'of ' + str(episodes):<14}" + "".join(f"  execute {each:<7}" for each in EXECUTE))
    for name, row in result.items():
        print(f"{name:<14}" + "".join(f"  {count:>4} ({seconds:4.1f} s)  " for count, seconds in row.values()), flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("manifest", nargs="?", type=Path, default=HEADS / "piper_pick_up.toml")
    arguments.add_argument("--episodes", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=EVALUATION_SEED)
    arguments = arguments.parse_args()
    manifest = tomllib.loads(arguments.manifest.read_text())
    policy = onnx_policy(arguments.manifest.parent / manifest["onnx"])
    show(table(policy, arguments.episodes, arguments.seed), arguments.episodes)
