"""Episodes for training: who acts may vary, the teacher names the label of every state that comes up.

Labels are made in hindsight: the row of tick t with delay d pairs what was measured at t - d with what the teacher
does at t. So the head learns to foresee, as well as can be, what the gripper will have met by the take-over.
"""

import numpy as np

from . import law
from .layout import DELAY_MAX_TICKS, observe
from .safety import Filter
from .skills import starts_anywhere

KICK_CHANCE = 0.04  # a tick
KICK_TICKS = 8
KICK_RAD_S = 0.06  # added to the rate at each of its ticks; the teacher may take back 0.15
KICK_GRIP_M_S = 0.02
HALT_CHANCE = 0.02  # a tick; stands for so many, so that going on from rest is learnt everywhere on the way
HALT_TICKS = 6


class Trace:
    """What was measured and what was commanded, tick by tick."""

    def __init__(self, start, ticks):
        self.rows = np.arange(len(start))
        self.measured = np.zeros((ticks, len(start), 7))
        self.commands = np.repeat(start[None], ticks + 1, axis=0)  # of tick t at t + 1: before the first it stood still

    def observe(self, tick, delay, told, decision):
        """At `tick`, from what was measured `delay` ticks ago. Untold, all is as it was then."""
        then = np.maximum(tick - delay, 0)
        last = np.where(told, tick, then)
        return observe(
            self.measured[then, self.rows],
            self.commands[last, self.rows],
            np.where(told, delay, 0),
            decision,
        )


def delays(rng, count):
    """Half of them none."""
    return np.where(rng.uniform(size=count) < 0.5, 0, rng.integers(1, DELAY_MAX_TICKS + 1, count))


def collect(skill, rng, count, policy=None, steps=law.CHUNK_STEPS):
    """Observations (n, size) and labels (n, steps, 7) of count * ticks states, and the share that succeeded.

    Without a policy the teacher acts. A policy's chunks come late by a delay of which it is told or (up to 4 ticks)
    is not, and are followed for 1, 2, 4 or 8 ticks: drawn for each arm, so that no way of re-planning is favoured. Chunks
    of one step have no choice but to be in time and followed for one.
    """
    episodes = skill.training(rng, count)
    world, decision, ticks = episodes.world, episodes.decision, skill.train_ticks
    goal = skill.teacher.goal(decision)
    filtered = Filter(episodes.start)
    trace = Trace(episodes.start, ticks)

    execute = np.ones(count, int) if policy is None else rng.choice([1, 1, 2, 4, 8], count)
    delay = delays(rng, count)
    if steps == 1:
        execute[:], delay[:] = 1, 0
    told = (rng.uniform(size=count) < 0.7) | (delay > 4)
    age = execute.copy()
    begins = np.zeros(count, int)
    plan = np.zeros((count, steps, 7))
    kick, kick_left = np.zeros((count, 7)), np.zeros(count, int)
    halt_left = np.zeros(count, int)
    observations, labels = [], []
    for tick in range(ticks):
        measured = trace.measured[tick] = world.measured()
        episodes.judge.see(measured, world.thing_m())
        label = law.chunk(skill.teacher, filtered.command, filtered.rate, measured[:, 6], goal)
        observations.append(trace.observe(tick, np.minimum(delays(rng, count), tick), True, decision).astype(np.float32))
        labels.append(label.astype(np.float32))

        ask = age >= execute
        if policy is None:
            plan = label
        elif ask.any():
            since = np.minimum(delay, tick)
            plan[ask] = policy(trace.observe(tick, since, told, decision)[ask])
            begins = np.where(ask, np.where(told, 0, since), begins)
        age = np.where(ask, 0, age)
        wish = plan[np.arange(count), begins + age]
        age += 1

        begin = (kick_left == 0) & (rng.uniform(size=count) < KICK_CHANCE)
        kick_left = np.where(begin, rng.integers(1, KICK_TICKS, count), np.maximum(kick_left - 1, 0))
        kick[begin, :6] = rng.uniform(-KICK_RAD_S, KICK_RAD_S, (begin.sum(), 6))
        kick[begin, 6] = rng.uniform(-KICK_GRIP_M_S, KICK_GRIP_M_S, begin.sum()) * (rng.uniform(size=begin.sum()) < 0.3)
        wish = wish + np.where((kick_left > 0)[:, None], kick, 0.0) * law.TICK_S
        begin = (halt_left == 0) & (rng.uniform(size=count) < HALT_CHANCE)
        halt_left = np.where(begin, rng.integers(2, HALT_TICKS, count), np.maximum(halt_left - 1, 0))
        wish = np.where((halt_left > 0)[:, None], filtered.command, wish)
        world.tick(filtered.admit(wish))
        trace.commands[tick + 1] = filtered.command
    world.close()
    return np.concatenate(observations), np.concatenate(labels), episodes.judge.done.mean()


def standing(skill, rng, count):
    """States at rest, each the first of its episode: rare among the moving ones, and every episode has one."""
    episodes = skill.training(rng, 512)
    pick = rng.integers(0, 512, count)
    command, decision = starts_anywhere(rng, count), episodes.decision[pick]
    episodes.world.close()
    measured = command + rng.normal(0.0, [0.0015] * 6 + [0.0003], (count, 7))  # a servo's sag
    goal = skill.teacher.goal(decision)
    label = law.chunk(skill.teacher, command, np.zeros((count, 7)), measured[:, 6], goal)
    return observe(measured, command, delays(rng, count), decision).astype(np.float32), label.astype(np.float32)
