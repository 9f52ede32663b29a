"""The head's network and its training. A plain MLP between two fixed linear maps.

Before it: the lag of the arm behind its command, scaled up, because the head reads its own speed from it.
After it: the last command, so that the network only says what to change. Both fold into the weights of
the exported file.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .expert import CHUNK_STEPS
from .observation import CLIP, JOINT_STD, MEAN, PREVIOUS, SIZE, STD
from .safety import COMMAND_MAX, COMMAND_MIN

WIDTH = 512
BATCH = 1024
LAG_UNIT = np.array([0.02] * 6 + [0.01])  # rad, m: the lag at ordinary speed
OUT = CHUNK_STEPS * 7
RANGE_PER_UNIT = 2.0 / (COMMAND_MAX - COMMAND_MIN)

# Sensors are not this clean: a head that reads speed to a decimal would jitter on a real arm.
NOISE = np.concatenate([[0.0005] * 6, [0.0002], np.zeros(SIZE - 7)]) / STD
EMA = 0.999


def features():
    """(20, 27): the observation itself, then command minus measurement in units of ordinary lag."""
    lag = np.zeros((SIZE, 7))
    for joint in range(7):
        lag[PREVIOUS.start + joint, joint] = JOINT_STD[joint] / LAG_UNIT[joint]
        lag[joint, joint] = -JOINT_STD[joint] / LAG_UNIT[joint]
    return np.concatenate([np.eye(SIZE), lag], axis=1).astype(np.float32)


def carry():
    """(20, 70) and (70,): the last command, repeated, as the output's -1..1."""
    weight, bias = np.zeros((SIZE, CHUNK_STEPS, 7)), np.zeros((CHUNK_STEPS, 7))
    for joint in range(7):
        row = PREVIOUS.start + joint
        weight[row, :, joint] = STD[row] * RANGE_PER_UNIT[joint]
        bias[:, joint] = (MEAN[row] - COMMAND_MIN[joint]) * RANGE_PER_UNIT[joint] - 1.0
    return weight.reshape(SIZE, OUT), bias.reshape(OUT)


def change_unit(observations, labels):
    """(70,): how far a command moves in k ticks, the unit in which the network answers; all arm joints alike."""
    moved = labels - observations[:, None, PREVIOUS]
    arm = np.sqrt((moved[:, :, :6] ** 2).mean(axis=(0, 2)))
    grip = np.sqrt((moved[:, :, 6] ** 2).mean(axis=0))
    return np.concatenate([np.repeat(arm[:, None], 6, 1), grip[:, None]], 1).reshape(OUT)


def start(seed):
    rng = np.random.default_rng(seed)
    sizes = [features().shape[1], WIDTH, WIDTH, OUT]
    return [
        (rng.normal(0.0, np.sqrt(1.0 / n), (n, m)).astype(np.float32), np.zeros(m, np.float32))
        for n, m in zip(sizes, sizes[1:])
    ]


def change(weights, x):
    """The network alone, (n, 20) normalised -> (n, 70) in change units."""
    (w1, b1), (w2, b2), (w3, b3) = weights
    h = jax.nn.silu(x @ (features() @ w1) + b1)
    h = jax.nn.silu(h @ w2 + b2)
    return h @ w3 + b3


def fit(weights, observations, labels, unit, epochs, rate_from, rate_to, seed):
    """Mean absolute error, so that rare sharp states do not outvote the many; returns averaged weights."""
    x = jnp.asarray(np.clip((observations - MEAN) / STD, -CLIP, CLIP), jnp.float32)
    y = jnp.asarray((labels - observations[:, None, PREVIOUS]).reshape(-1, OUT) / unit, jnp.float32)
    batches = len(x) // BATCH
    schedule = optax.cosine_decay_schedule(rate_from, epochs * batches, rate_to / rate_from)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule))

    def loss(weights, xb, yb):
        return jnp.abs(change(weights, xb) - yb).mean()

    @partial(jax.jit, donate_argnums=0)
    def epoch(carried, key):
        order_key, noise_key = jax.random.split(key)
        order = jax.random.permutation(order_key, len(x))[: batches * BATCH].reshape(batches, BATCH)

        def one(carried, batch):
            weights, averaged, state, count = carried
            rows, key = batch
            xb = x[rows] + NOISE.astype(np.float32) * jax.random.normal(key, (BATCH, SIZE))
            value, slope = jax.value_and_grad(loss)(weights, xb, y[rows])
            update, state = optimiser.update(slope, state)
            weights = optax.apply_updates(weights, update)
            keep = jnp.minimum(EMA, (1.0 + count) / (10.0 + count))  # short at first: forget the start
            averaged = optax.incremental_update(weights, averaged, 1.0 - keep)
            return (weights, averaged, state, count + 1.0), value

        return jax.lax.scan(one, carried, (order, jax.random.split(noise_key, batches)))

    weights = jax.tree.map(jnp.array, weights)
    carried = (weights, jax.tree.map(jnp.array, weights), optimiser.init(weights), 0.0)
    for key in jax.random.split(jax.random.key(seed), epochs):
        carried, losses = epoch(carried, key)
    return jax.tree.map(np.asarray, carried[1]), float(losses.mean())


def fold(weights, unit):
    """The exported form: normalised observation in, -1..1 out, both fixed maps inside the matrices."""
    (w1, b1), (w2, b2), (w3, b3) = weights
    scale = unit * np.tile(RANGE_PER_UNIT, CHUNK_STEPS)
    skip, offset = carry()
    folded = [features() @ w1, b1, w2, b2, w3 * scale, b3 * scale + offset, skip]
    return [np.asarray(each, np.float32) for each in folded]


def run(folded, x):
    """What the exported file computes, in NumPy."""
    w1, b1, w2, b2, w3, b3, skip = folded
    h = _silu(x @ w1 + b1)
    h = _silu(h @ w2 + b2)
    return np.clip(h @ w3 + b3 + x @ skip, -1.0, 1.0)


def _silu(x):
    return 0.5 * x * (1.0 + np.tanh(0.5 * x))  # the same, without overflow
