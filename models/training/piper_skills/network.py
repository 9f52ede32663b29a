"""The heads' network and its training. A plain MLP between two fixed linear maps.

Before it: the lag of the arm behind its set-point, scaled up, because the head reads its own speed from it. After it: the
last set-point, so that the network only says what to change. Both fold into the weights of the exported file.
"""

import numpy as np

from .layout import JOINT_STD, LAST, MEASURED
from .safety import COMMAND_MAX, COMMAND_MIN

WIDTH = 512
BATCH = 512
LAG_UNIT = np.array([0.02] * 6 + [0.01])  # rad, m: the lag at ordinary speed
RANGE_PER_UNIT = 2.0 / (COMMAND_MAX - COMMAND_MIN)

NOISE = np.array([0.0015] * 6 + [0.0005])  # of the measurement: rad, m
KEEP = 0.999  # of the averaged weights, a step
CLIP_NORM = 1.0
MOMENTS, EPSILON = (0.9, 0.999), 1e-8  # Adam's


def features(layout):
    """(size, size + 7 a comparison): the observation itself, then the differences."""
    differences = np.zeros((layout.size, 7 * len(layout.compared)))
    for at, (plus, minus) in enumerate(layout.compared):
        for joint in range(7):
            differences[plus.start + joint, 7 * at + joint] = JOINT_STD[joint] / LAG_UNIT[joint]
            differences[minus.start + joint, 7 * at + joint] = -JOINT_STD[joint] / LAG_UNIT[joint]
    return np.concatenate([np.eye(layout.size), differences], axis=1).astype(np.float32)


def carry(layout, steps):
    """(size, steps * 7) and (steps * 7,): the last set-point, repeated, as the output's -1..1."""
    weight, bias = np.zeros((layout.size, steps, 7)), np.zeros((steps, 7))
    for joint in range(7):
        row = LAST.start + joint
        weight[row, :, joint] = layout.std[row] * RANGE_PER_UNIT[joint]
        bias[:, joint] = (layout.mean[row] - COMMAND_MIN[joint]) * RANGE_PER_UNIT[joint] - 1.0
    return weight.reshape(layout.size, -1), bias.reshape(-1)


def change_unit(observations, labels):
    """(steps * 7,): how far a set-point moves in k ticks, the unit in which the network answers; all arm joints alike.

    A skill that leaves the gripper alone still gets a unit: half a millimetre.
    """
    moved = labels - observations[:, None, LAST]
    arm = np.sqrt((moved[:, :, :6] ** 2).mean(axis=(0, 2)))
    grip = np.maximum(np.sqrt((moved[:, :, 6] ** 2).mean(axis=0)), 5e-4)
    return np.concatenate([np.repeat(arm[:, None], 6, 1), grip[:, None]], 1).reshape(-1)


def changes(observations, labels):
    """What `fit` is to answer: set-points less the last one, (n, steps * 7)."""
    return (labels - observations[:, None, LAST]).reshape(len(labels), -1)


def start(layout, out, seed):
    """Weights and biases of the three layers, [w1, b1, w2, b2, w3, b3]."""
    rng = np.random.default_rng(seed)
    weights = []
    for n, m in zip([features(layout).shape[1], WIDTH, WIDTH], [WIDTH, WIDTH, out]):
        weights += [rng.normal(0.0, np.sqrt(1.0 / n), (n, m)).astype(np.float32), np.zeros(m, np.float32)]
    return weights


def fit(layout, unit, weights, observations, answers, steps, rates, rng):
    """Adam over random batches; the rate falls by a cosine between the two `rates`. The averaged weights, and the error.

    Three matrices need no framework: NumPy's products are as fast, and this is all of it.
    """
    x = layout.normalise(observations)
    y = (answers / unit).astype(np.float32)
    maps = features(layout)
    noise = (np.concatenate([NOISE, np.zeros(layout.size - 7)]) / layout.std).astype(np.float32)
    weights = [each.copy() for each in weights]
    averaged = [each.copy() for each in weights]
    first, second = ([np.zeros_like(each) for each in weights] for _ in range(2))
    errors = []
    for at in range(1, steps + 1):
        rows = rng.integers(0, len(x), BATCH)
        seen = x[rows] + noise * rng.standard_normal((BATCH, layout.size), np.float32)
        error, slopes = _loss(weights, seen @ maps, y[rows])
        errors.append(error)
        norm = np.sqrt(sum(np.vdot(slope, slope) for slope in slopes))
        scale = np.float32(min(1.0, CLIP_NORM / norm))
        rate = rates[1] + 0.5 * (rates[0] - rates[1]) * (1.0 + np.cos(np.pi * at / steps))
        rate *= np.sqrt(1.0 - MOMENTS[1] ** at) / (1.0 - MOMENTS[0] ** at)
        keep = np.float32(min(KEEP, at / (9.0 + at)))  # short at first: forget the start
        for weight, average, slope, m, v in zip(weights, averaged, slopes, first, second):
            slope *= scale
            m += np.float32(1.0 - MOMENTS[0]) * (slope - m)
            slope *= slope
            v += np.float32(1.0 - MOMENTS[1]) * (slope - v)
            weight -= np.float32(rate) * m / (np.sqrt(v) + np.float32(EPSILON))
            average += (np.float32(1.0) - keep) * (weight - average)
    return averaged, float(np.mean(errors[-200:]))


def _loss(weights, x, y):
    """Mean absolute error, so that rare sharp states do not outvote the many, and its slopes."""
    w1, b1, w2, b2, w3, b3 = weights
    z1 = x @ w1 + b1
    s1 = _sigmoid(z1)
    h1 = z1 * s1
    z2 = h1 @ w2 + b2
    s2 = _sigmoid(z2)
    h2 = z2 * s2
    wrong = h2 @ w3 + b3 - y
    d3 = np.sign(wrong) / np.float32(wrong.size)
    d2 = (d3 @ w3.T) * (s2 + h2 * (1.0 - s2))
    d1 = (d2 @ w2.T) * (s1 + h1 * (1.0 - s1))
    slopes = [x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ d3, d3.sum(0)]
    return float(np.abs(wrong).mean()), slopes


def fold(layout, weights, unit):
    """The exported form: normalised observation in, -1..1 out, both fixed maps inside the matrices."""
    w1, b1, w2, b2, w3, b3 = weights
    steps = len(unit) // 7
    scale = unit * np.tile(RANGE_PER_UNIT, steps)
    skip, offset = carry(layout, steps)
    folded = [features(layout) @ w1, b1, w2, b2, w3 * scale, b3 * scale + offset, skip]
    return [np.asarray(each, np.float32) for each in folded]


def fold_plain(layout, weights, unit):
    """The same for a network that answers offsets: `unit` in -1..1, and nothing carried over."""
    w1, b1, w2, b2, w3, b3 = weights
    folded = [features(layout) @ w1, b1, w2, b2, w3 * unit, b3 * unit, np.zeros((layout.size, len(unit)))]
    return [np.asarray(each, np.float32) for each in folded]


def run(folded, x):
    """What the exported file computes, in NumPy."""
    w1, b1, w2, b2, w3, b3, skip = folded
    h = x @ w1 + b1
    h *= _sigmoid(h)
    h = h @ w2 + b2
    h *= _sigmoid(h)
    return np.clip(h @ w3 + b3 + x @ skip, -1.0, 1.0)


def _sigmoid(x):
    return np.float32(0.5) * (np.float32(1.0) + np.tanh(np.float32(0.5) * x))  # as tanh: no overflow
