"""Episodes for training: who acts may vary, the teacher names the label of every state that comes up."""

import numpy as np

from . import body
from .law import CHUNK_STEPS
from .safety import TICK_S, Filter
from .skills import POSITION_NOISE, RATE_NOISE

KICK_CHANCE, KICK_TICKS, KICK_RATE = 0.03, 6, 0.15  # rad/s, m/s, added to the wish while it lasts
HALT_CHANCE, HALT_TICKS = 0.015, 6
SHOVE_CHANCE = 0.006  # a tick
SHOVE_M_S, SHOVE_RAD_S = 0.6, 0.5
EXECUTE = (1, 2, 4, 8)


def collect(skill, rng, count, policy=None, steps=CHUNK_STEPS, every=1):
    """The same of each of the skill's scenes, `count` episodes together."""
    each = [_collect(skill, scene, rng, count // len(skill.scenes), policy, steps, every) for scene in skill.scenes]
    observations, labels, done = zip(*each)
    return np.concatenate(observations), np.concatenate(labels), np.mean(done)


def _collect(skill, scene, rng, count, policy, steps, every):
    """Observations (n, size) and labels (n, steps, 32), and the share that succeeded.

    Without a policy the teacher acts. A policy's chunks are followed for 1, 2, 4 or 8 ticks and may be one tick late.
    """
    episodes = skill.draw(rng, count, scene=scene)
    world, filtered = episodes.world, Filter(episodes.start)
    execute = np.ones(count, int) if policy is None or steps == 1 else rng.choice(EXECUTE, count)
    late = np.where(rng.uniform(size=count) < 0.3, 1, 0) * (execute > 1)
    noisy = (rng.uniform(size=count) < 0.5)[:, None]
    age, plan = execute.copy(), np.repeat(episodes.start[:, None], CHUNK_STEPS + 1, axis=1)
    pending = np.full(count, -1)
    coming = plan.copy()
    kick, kick_left, halt_left = np.zeros((count, 32)), np.zeros(count, int), np.zeros(count, int)
    observations, labels = [], []
    for tick in range(skill.train_ticks):
        positions = world.measured() + noisy * rng.normal(0.0, POSITION_NOISE, (count, 32))
        rates = world.rates() + noisy * rng.normal(0.0, RATE_NOISE, (count, 32))
        episodes.judge()
        observation = episodes.observe(positions, rates)
        label = episodes.label(filtered.command, filtered.rate, positions)
        if tick % every == 0:
            observations.append(observation.astype(np.float32))
            labels.append(body.normal(label[:, :steps]).astype(np.float32))

        if policy is None:
            wish = label[:, 0]
        else:
            # One that is late goes on with the old plan for a tick, and enters the new one at its second step.
            landed = pending == 0
            plan[landed, :CHUNK_STEPS], age[landed] = coming[landed, :CHUNK_STEPS], 1
            pending = np.where(pending >= 0, pending - 1, pending)
            ask = (age >= execute) & (pending < 0)
            if ask.any():
                answer = policy(observation[ask])
                answer = np.concatenate([answer, np.repeat(answer[:, -1:], CHUNK_STEPS + 1 - answer.shape[1], axis=1)], axis=1)
                now, then = ask & (late == 0), ask & (late == 1)
                plan[now], age[now] = answer[late[ask] == 0], 0
                coming[then], pending[then] = answer[late[ask] == 1], 0
            wish = plan[np.arange(count), np.minimum(age, CHUNK_STEPS)]
            age = age + 1

        begin = (kick_left == 0) & (rng.uniform(size=count) < KICK_CHANCE)
        kick_left = np.where(begin, rng.integers(1, KICK_TICKS, count), np.maximum(kick_left - 1, 0))
        scale = np.where(np.isin(np.arange(32), (0, 1, 2, 14, 15, 22, 23)), 0.3, 1.0)
        kick[begin] = rng.uniform(-KICK_RATE, KICK_RATE, (begin.sum(), 32)) * scale
        wish = wish + np.where((kick_left > 0)[:, None], kick, 0.0) * TICK_S
        begin = (halt_left == 0) & (rng.uniform(size=count) < HALT_CHANCE)
        halt_left = np.where(begin, rng.integers(2, HALT_TICKS, count), np.maximum(halt_left - 1, 0))
        wish = np.where((halt_left > 0)[:, None], filtered.command, wish)
        for row in np.flatnonzero(rng.uniform(size=count) < SHOVE_CHANCE):
            shove = np.zeros(32)
            shove[body.PLACE] = rng.uniform(-SHOVE_M_S, SHOVE_M_S, 2)
            shove[body.YAW] = rng.uniform(-SHOVE_RAD_S, SHOVE_RAD_S)
            world.kick(row, shove)
        world.tick(filtered.admit(wish))
    return np.concatenate(observations), np.concatenate(labels), episodes.done.mean()
