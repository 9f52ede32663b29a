"""Closed loop on cases that no training saw, beside the daemon's own evaluation: `reflexd eval` is the judge.

    python -m fireboy_skills.evaluate [HEAD...] [--episodes N] [--seed S]
"""

import argparse
import os
import tomllib
from pathlib import Path

import numpy as np

from . import body
from .paths import HEADS
from .safety import Filter
from .skills import POSITION_NOISE, RATE_NOISE, SKILLS, Conditions
from .words import Words

EVALUATION_SEED = 20_000_000  # training seeds count up from its own; these do not meet
STRATA = {
    "clean": Conditions(),
    "noise": Conditions(noise=True),
    "latency": Conditions(late_ticks=1),
    "body": Conditions(friction=(0.5, 2.0), mass=(0.5, 2.0)),
    "target": Conditions(target_error_m=0.01),
    "push": Conditions(push_n=30.0),
    "anywhere": Conditions(start="anywhere"),
    "contact": Conditions(scene="fireboy_contact"),
}
PUSH_TICKS, PUSH_FROM = 4, (10, 60)


def closed_loop(skill, policy, count, seed, conditions, execute=8):
    """Seconds until success, (count,), infinite where there was none; and the episodes, for who wants to look."""
    rng = np.random.default_rng(seed)
    episodes = skill.draw(rng, count, conditions)
    world, filtered = episodes.world, Filter(episodes.start)
    took_s = np.full(count, np.inf)
    plan, step = None, 0
    begins, angle = rng.integers(*PUSH_FROM, count), rng.uniform(-np.pi, np.pi, count)
    coming, late = None, conditions.late_ticks
    for tick in range(skill.evaluate_ticks):
        positions, rates = world.measured(), world.rates()
        if conditions.noise:
            positions = positions + rng.normal(0.0, POSITION_NOISE, positions.shape)
            rates = rates + rng.normal(0.0, RATE_NOISE, rates.shape)
        episodes.judge()
        took_s = np.where(episodes.done & np.isinf(took_s), tick * 0.050, took_s)
        if np.isfinite(took_s).all():
            break
        if tick % execute == 0:
            coming = policy(episodes.observe(positions, rates))
            if late == 0:
                plan, step = coming, 0
        elif late and tick % execute == late:
            plan, step = coming, late
        wish = filtered.command if plan is None else plan[:, min(step, plan.shape[1] - 1)]
        step += 1
        if conditions.push_n:
            for row in range(count):
                on = begins[row] <= tick < begins[row] + PUSH_TICKS
                world.push(row, conditions.push_n * on * np.array([np.cos(angle[row]), np.sin(angle[row])]))
        world.tick(filtered.admit(wish))
    return took_s, episodes


def onnx_policy(path, words):
    """The exported files themselves, told phrases that no training saw."""
    # The official builds upload telemetry unless told before the first import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    manifest = tomllib.loads(path.read_text())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path.with_suffix(".onnx")), options, providers=["CPUExecutionProvider"])
    first, *rest = manifest["inputs"]
    mean, std, clip = (np.concatenate([np.atleast_1d(each[key]) for each in first["features"]]) for key in ("mean", "std", "clip"))
    told = words.held_out(manifest["skill"]) if rest else None
    rng = np.random.default_rng(EVALUATION_SEED)

    def policy(observations):
        rows = np.clip((observations - mean) / std, -clip[0], clip[0]).astype(np.float32)
        feeds = [{first["tensor"]: row[None]} for row in rows]
        if told is not None:
            for feed, phrase in zip(feeds, told[rng.integers(0, len(told), len(rows))]):
                feed[rest[0]["tensor"]] = words.normalised(phrase[None])
        return body.commands(np.concatenate([session.run(None, feed)[0] for feed in feeds]).astype(float))

    return policy


def table(skill, policy, count, seed=EVALUATION_SEED, execute=(8,), strata=STRATA):
    """Successes by stratum and steps executed: {name: {execute: (count, median s)}}."""
    result = {}
    for name, conditions in strata.items():
        result[name] = {}
        for each in execute:
            if conditions.late_ticks < each and (not conditions.scene or conditions.scene in skill.scenes):
                took_s, _ = closed_loop(skill, policy, count, seed, conditions, each)
                result[name][each] = (int(np.isfinite(took_s).sum()), float(np.median(took_s)))
    return result


def show(result, count):
    for name, row in result.items():
        if not row:
            continue
        cells = "".join(f"  {good:>4} of {count} ({seconds:4.1f} s) by {each}" for each, (good, seconds) in row.items())
        print(f"  {name:<12}{cells}", flush=True)


def main():
    from .__main__ import EMBED

    arguments = argparse.ArgumentParser()
    arguments.add_argument("heads", nargs="*", default=list(SKILLS))
    arguments.add_argument("--folder", type=Path, default=HEADS)
    arguments.add_argument("--episodes", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=EVALUATION_SEED)
    arguments.add_argument("--execute", type=int, nargs="*", default=(8,))
    arguments.add_argument("--strata", nargs="*", default=list(STRATA))
    arguments.add_argument("--embed", default=EMBED)
    arguments = arguments.parse_args()
    words = Words(arguments.embed)
    for name in arguments.heads:
        print(name, flush=True)
        policy = onnx_policy(arguments.folder / f"{name}.toml", words)
        skill = SKILLS[name.removesuffix("_single_step")]
        strata = {each: STRATA[each] for each in arguments.strata}
        show(table(skill, policy, arguments.episodes, arguments.seed, arguments.execute, strata), arguments.episodes)


if __name__ == "__main__":
    main()
