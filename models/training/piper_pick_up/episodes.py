"""Episodes for training: who acts may vary, the expert names the label of every state that comes up."""

import numpy as np

from . import expert
from .expert import OPENING_MAX_M
from .kinematics import reach
from .observation import goal_of, observe
from .safety import COMMAND_MAX, COMMAND_MIN, Filter
from .world import World

HOME = np.array([0.0, 0.75, -0.70, 0.0, 0.75, 0.0, OPENING_MAX_M])  # key `home` of the scene
PATCH_M = np.array([[0.20, 0.50], [-0.20, 0.20]])
MARGIN_M = 0.03  # training reaches this far over the patch's edge

KICK_CHANCE = 0.04  # a tick
KICK_TICKS = 8
KICK_RAD_S = 0.06  # added to the rate at each of its ticks; the expert may take back 0.15
KICK_GRIP_M_S = 0.02


def berries(rng, count, margin_m=0.0):
    return rng.uniform(PATCH_M[:, 0] - margin_m, PATCH_M[:, 1] + margin_m, (count, 2))


def starts_at_home(rng, count):
    command = np.tile(HOME, (count, 1))
    command[:, :6] += rng.uniform(-0.05, 0.05, (count, 6))
    return command


def starts_anywhere(rng, count):
    """Half near home; the rest where a hold, a stop or an earlier pick-up may have left the arm."""
    command = starts_at_home(rng, count)
    kind = rng.uniform(size=count)
    near = (kind > 0.50) & (kind < 0.75)
    command[near, :6] += rng.uniform(-0.30, 0.30, (near.sum(), 6))
    far = kind >= 0.75
    tool = np.stack([rng.uniform(0.18, 0.48, count), rng.uniform(-0.25, 0.25, count), rng.uniform(0.09, 0.24, count)], 1)
    arm = reach(tool, rng.uniform(np.radians(25.0), np.radians(50.0), count)) + rng.uniform(-0.15, 0.15, (count, 6))
    far &= np.isfinite(arm).all(axis=1)
    command[far, :6] = arm[far]
    some = rng.uniform(size=count) < 0.25
    command[some, 6] = rng.uniform(0.0, OPENING_MAX_M, some.sum())
    return np.clip(command, COMMAND_MIN + 1e-3, COMMAND_MAX)


def decide(rng, berry_m, radius_m):
    """What a decision would say of this berry: a few millimetres off, like a camera."""
    count = len(berry_m)
    decision = np.empty((count, 6))
    decision[:, :3] = berry_m + rng.uniform(-0.003, 0.003, (count, 3))
    decision[:, 3] = radius_m + rng.uniform(-0.001, 0.001, count)
    decision[:, 4] = np.where(rng.uniform(size=count) < 0.5, 1.0, rng.uniform(0.5, 1.0, count))
    decision[:, 5] = rng.uniform(size=count) > 0.1
    return decision


def standing(rng, count):
    """States at rest, each the first of its episode: rare among the moving ones, and every episode has one."""
    command = starts_anywhere(rng, count)
    measured = command + rng.normal(0.0, [0.0015] * 6 + [0.0003], (count, 7))  # a servo's sag
    radius_m = rng.uniform(0.015, 0.021, count)
    berry_m = np.concatenate([berries(rng, count, MARGIN_M), radius_m[:, None]], axis=1)
    decision = decide(rng, berry_m, radius_m)
    label = expert.chunk(command, np.zeros((count, 7)), measured[:, 6], goal_of(decision))
    return observe(measured, command, decision).astype(np.float32), label.astype(np.float32)


def collect(rng, count, ticks, policy=None):
    """Observations and labels, (count * ticks, 20) and (count * ticks, steps, 7).

    Without a policy the expert acts. A policy's chunks are followed for 1, 2, 4 or 8 ticks, drawn for
    each arm, so that no single way of re-planning is favoured.
    """
    world = World(count, rng, vary=True)
    filtered = Filter(starts_anywhere(rng, count))
    world.reset(filtered.command, berries(rng, count, MARGIN_M))
    decision = decide(rng, world.berry_m(), world.radius_m)
    # Some reach for a berry that is not there, and must notice and open again.
    gone = rng.uniform(size=count) < 0.06
    decision[gone, :2] = berries(rng, gone.sum())
    goal = goal_of(decision)

    execute = np.ones(count, int) if policy is None else rng.choice([1, 1, 2, 4, 8], count)
    age = execute.copy()
    plan = np.zeros((count, expert.CHUNK_STEPS, 7))
    kick, kick_left = np.zeros((count, 7)), np.zeros(count, int)
    observations, labels = [], []
    for _ in range(ticks):
        measured = world.measured()
        observation = observe(measured, filtered.command, decision)
        label = expert.chunk(filtered.command, filtered.rate, measured[:, 6], goal)
        observations.append(observation.astype(np.float32))
        labels.append(label.astype(np.float32))

        ask = age >= execute
        if policy is None:
            plan = label
        elif ask.any():
            plan[ask] = policy(observation[ask])
        age = np.where(ask, 0, age)
        wish = plan[np.arange(count), age]
        age += 1

        begin = (kick_left == 0) & (rng.uniform(size=count) < KICK_CHANCE)
        kick_left = np.where(begin, rng.integers(1, KICK_TICKS, count), np.maximum(kick_left - 1, 0))
        kick[begin, :6] = rng.uniform(-KICK_RAD_S, KICK_RAD_S, (begin.sum(), 6))
        kick[begin, 6] = rng.uniform(-KICK_GRIP_M_S, KICK_GRIP_M_S, begin.sum()) * (rng.uniform(size=begin.sum()) < 0.3)
        wish = wish + np.where((kick_left > 0)[:, None], kick, 0.0) * expert.TICK_S
        world.tick(filtered.admit(wish))
    world.pool.close()
    return np.concatenate(observations), np.concatenate(labels), world.lifted
