"""The networks and their training, in NumPy: three matrices in a row need no framework.

`Residual` is `state_residual_fusion_v1` as it was published: y = state_head(s) + 0.12 * residual_head([vl_head(v), s]).
`Plain` is an MLP, for heads that see no words. Both answer in units of the actions' own spread.
"""

import numpy as np

BATCH, GROUPS = 128, 8  # rows of a batch, and how many instructions they share
KEEP = 0.999  # of the averaged weights, a step
CLIP_NORM = 1.0
MOMENTS, EPSILON = (0.9, 0.999), 1e-8  # Adam's
ACTION_STD_FLOOR = 0.01
RESIDUAL_SCALE = np.float32(0.12)
VL_WIDTH = 1024
PUBLISHED_PARAMETERS = 1_078_912  # of a residual head with 27 numbers in and 10 x 32 out


class Mlp:
    """SiLU after each layer, after the last one only if `closing`."""

    def __init__(self, rng, sizes, closing=False):
        self.closing = closing
        self.weights = []
        for n, m in zip(sizes, sizes[1:]):
            self.weights += [rng.normal(0.0, np.sqrt(1.0 / n), (n, m)).astype(np.float32), np.zeros(m, np.float32)]

    def forward(self, x, tape=None, weights=None):
        weights = self.weights if weights is None else weights
        for at in range(0, len(weights), 2):
            z = x @ weights[at] + weights[at + 1]
            bent = self.closing or at + 2 < len(weights)
            s = _sigmoid(z) if bent else None
            y = z * s if bent else z
            if tape is not None:
                tape.append((x, s, y))
            x = y
        return x

    def backward(self, tape, slope):
        """Slopes of the weights, in their order, and of the input."""
        found = []
        for at, (x, s, y) in zip(range(len(self.weights) - 2, -1, -2), reversed(tape)):
            if s is not None:
                slope = slope * (s + y * (1.0 - s))
            found = [x.T @ slope, slope.sum(0)] + found
            slope = slope @ self.weights[at].T
        return found, slope


class Residual:
    def __init__(self, rng, state, out):
        self.state_head = Mlp(rng, [state, 512, 512, out])
        self.vl_head = Mlp(rng, [VL_WIDTH, 256, 256], closing=True)
        self.residual_head = Mlp(rng, [256 + state, 512, out])
        self.parts = (self.state_head, self.vl_head, self.residual_head)
        if (state, out) == (27, 320):
            assert self.parameters() == PUBLISHED_PARAMETERS, self.parameters()

    def parameters(self):
        return sum(each.size for part in self.parts for each in part.weights)

    def all(self):
        return [each for part in self.parts for each in part.weights]

    def put(self, weights):
        at = 0
        for part in self.parts:
            part.weights = [each.copy() for each in weights[at : at + len(part.weights)]]
            at += len(part.weights)

    def run(self, x, words):
        """`words`: (n, 1024), or one row for all."""
        told = self.vl_head.forward(words)
        told = np.broadcast_to(told, (len(x), told.shape[1])) if len(told) == 1 else told
        return self.state_head.forward(x) + RESIDUAL_SCALE * self.residual_head.forward(np.concatenate([told, x], axis=1))

    def loss(self, x, words, y):
        """`words`: a row for each group of rows of `x`."""
        tapes = [], [], []
        told = np.repeat(self.vl_head.forward(words, tapes[1]), len(x) // len(words), axis=0)
        answer = self.state_head.forward(x, tapes[0])
        answer = answer + RESIDUAL_SCALE * self.residual_head.forward(np.concatenate([told, x], axis=1), tapes[2])
        error, slope = _error(answer, y)
        first, _ = self.state_head.backward(tapes[0], slope)
        third, to_fused = self.residual_head.backward(tapes[2], slope * RESIDUAL_SCALE)
        to_told = to_fused[:, : told.shape[1]].reshape(len(words), -1, told.shape[1]).sum(1)
        second, _ = self.vl_head.backward(tapes[1], to_told)
        return error, first + second + third


class Plain:
    WIDTH = 256

    def __init__(self, rng, state, out):
        self.body = Mlp(rng, [state, self.WIDTH, self.WIDTH, out])

    def parameters(self):
        return sum(each.size for each in self.body.weights)

    def all(self):
        return self.body.weights

    def put(self, weights):
        self.body.weights = [each.copy() for each in weights]

    def run(self, x, _words=None):
        return self.body.forward(x)

    def loss(self, x, _words, y):
        tape = []
        error, slope = _error(self.body.forward(x, tape), y)
        return error, self.body.backward(tape, slope)[0]


def fit(net, x, y, words, noise, steps, rates, rng):
    """Adam over random batches; the rate falls by a cosine between the two `rates`. Leaves the averaged weights in `net`.

    `words` draws instructions, or is None. `noise` draws what measurement would add to a batch of `x`.
    """
    weights = net.all()
    averaged = [each.copy() for each in weights]
    first, second = ([np.zeros_like(each) for each in weights] for _ in range(2))
    errors = []
    for at in range(1, steps + 1):
        rows = rng.integers(0, len(x), BATCH)
        seen = x[rows] + noise * rng.standard_normal((BATCH, x.shape[1]), np.float32)
        error, slopes = net.loss(seen, words(GROUPS) if words else None, y[rows])
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
    net.put(averaged)
    return float(np.mean(errors[-200:]))


def _error(answer, y):
    """Mean absolute error, so that rare sharp states do not outvote the many, and its slope."""
    wrong = answer - y
    return float(np.abs(wrong).mean()), np.sign(wrong) / np.float32(wrong.size)


def _sigmoid(x):
    return np.float32(0.5) * (np.float32(1.0) + np.tanh(np.float32(0.5) * x))  # as tanh: no overflow
