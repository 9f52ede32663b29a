"""One head from nothing: the teacher's episodes, a fit, then rounds in which the head acts and the teacher corrects."""

import time
from dataclasses import dataclass

import numpy as np

from . import body, network
from .episodes import collect
from .law import CHUNK_STEPS
from .skills import GAIT, POSITION_NOISE, RATE_NOISE, ROOT, Handling

EPISODES_TEACHER, EPISODES_ROUND, ROUNDS = 96, 64, 3
BATCHES_FIRST, BATCHES_ROUND, BATCHES_LAST = 1200, 600, 4000
RATE, RATE_LAST = 1e-3, 1e-5
CLIP = 10.0  # of the state, normalised


@dataclass
class Head:
    """What is exported: observation to commands, and everything that a manifest says of it."""

    skill: object
    net: object
    steps: int
    mean: np.ndarray
    std: np.ndarray
    action_mean: np.ndarray  # of -1..1, (steps * 32,)
    action_std: np.ndarray
    carried: np.ndarray | None  # (size, steps * 32): of the normalised observation, added to the answer; plain heads only

    def normalise(self, observations):
        return np.clip((observations - self.mean) / self.std, -CLIP, CLIP).astype(np.float32)

    def answer(self, x, words=None):
        """Normalised observations to -1..1, (n, steps, 32): what the exported file computes."""
        y = self.net.run(x, words) * self.action_std + self.action_mean
        if self.carried is not None:
            y = y + x @ self.carried
        return np.clip(y, -1.0, 1.0).reshape(len(x), self.steps, 32)

    def policy(self, words=None):
        """Observations to commands. `words` draws as many instructions as there are rows."""
        return lambda seen: body.commands(self.answer(self.normalise(seen), words(len(seen)) if words else None).astype(float))


def _carried(skill, observations, steps, mean, std):
    """Plain heads say what to change about where the body is: the root's place and heading, and the legs."""
    weight, offset = np.zeros((observations.shape[1], steps, 32)), np.zeros((steps, 32))
    for row, joint in enumerate((*ROOT, *GAIT)):
        weight[row, :, joint] = std[row] / body.HALF[joint]
        offset[:, joint] = (mean[row] - body.CENTRE[joint]) / body.HALF[joint]
    return weight.reshape(len(weight), -1).astype(np.float32), offset.reshape(-1).astype(np.float32)


def train(skill, seed, words, steps=CHUNK_STEPS, effort=1.0, rounds=ROUNDS, say=print):
    begun = time.monotonic()
    rng = np.random.default_rng(seed)
    fused = isinstance(skill, Handling)
    tell = lambda text: say(f"{time.monotonic() - begun:6.0f} s  {skill.name}: {text}")

    observations, labels, done = collect(skill, rng, round(EPISODES_TEACHER * effort), steps=steps, every=2)
    tell(f"teacher: {len(observations)} states, {done:.0%} succeeded")
    mean, std = observations.mean(0), np.maximum(observations.std(0), skill.std_floor())
    carried, offset = (None, 0.0) if fused else _carried(skill, observations, steps, mean, std)
    make = network.Residual if fused else network.Plain
    net = make(rng, observations.shape[1], steps * 32)

    def changes():
        flat = labels.reshape(len(labels), -1)
        return flat if fused else flat - (((observations - mean) / std).clip(-CLIP, CLIP).astype(np.float32) @ carried + offset)

    y = changes()
    if fused:  # as published
        action_mean, action_std = y.mean(0), np.maximum(y.std(0), network.ACTION_STD_FLOOR) + 1e-6
    else:
        action_mean, action_std = y.mean(0), np.maximum(y.std(0), 2e-3)
    head = Head(skill, net, steps, mean, std, (action_mean + offset).astype(np.float32), action_std.astype(np.float32), carried)
    noise = _noise(skill, std)
    draw = (lambda count: words.draw(skill.skill, rng, count)) if fused else None

    def fit(batches, rates):
        y = ((changes() - action_mean) / action_std).astype(np.float32)
        return network.fit(net, head.normalise(observations), y, draw, noise, round(batches * effort), rates, rng)

    error = fit(BATCHES_FIRST, (RATE, RATE / 5))
    tell(f"first fit: error {error:.4f}")
    for turn in range(1, rounds + 1):
        more, answers, done = collect(skill, rng, round(EPISODES_ROUND * effort), head.policy(draw), steps, every=2)
        observations, labels = np.concatenate([observations, more]), np.concatenate([labels, answers])
        last = turn == rounds
        error = fit(BATCHES_LAST if last else BATCHES_ROUND, (RATE / 2, RATE_LAST if last else RATE / 10))
        tell(f"round {turn}: the head's own {done:.0%} succeeded; {len(observations)} states, error {error:.4f}")
    if not rounds:
        tell(f"last fit: error {fit(BATCHES_LAST, (RATE / 2, RATE_LAST)):.4f}")
    return head, observations


def _noise(skill, std):
    """Of the measurement, as it comes into the observation."""
    if isinstance(skill, Handling):
        noise = np.zeros(27)
        noise[:6] = noise[9:12] = 0.001
    else:
        noise = np.zeros(len(std))
        noise[:7] = POSITION_NOISE[np.concatenate([ROOT, GAIT])]
        noise[7:10] = RATE_NOISE[ROOT]
        noise[10:13] = 0.0005
    return (noise / std).astype(np.float32)
