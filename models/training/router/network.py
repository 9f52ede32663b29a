"""The head's network and its training: 1066 -> 512 -> 512 -> 4 logits and 6 parameters, SiLU between, in NumPy.

A sentence costs the most: two thirds of the weights look at it. So a batch is some sentences, each said in several scenes,
and their part of the first layer is worked out once a sentence.
"""

import numpy as np

EMBEDDING, STATE, WIDTH, SKILLS, PARAMS = 1024, 42, 512, 4, 6
INPUT = EMBEDDING + STATE
WEIGHTS = 814_090
NAMES = ("w1", "b1", "w2", "b2", "w_skill", "b_skill", "w_params", "b_params")

SENTENCES, SCENES = 96, 6  # a batch
NOISE = 0.3  # on the embedding, in its normalised units, at most: slips and fillers that no training has seen
CONCEPTS, FORGOTTEN = 320, 0.25  # from here on words are told by hash: of so many sentences none is, to lean on concepts
PARAMS_WEIGHT = 4.0  # of their mean absolute error, beside the cross entropy of the skill
DECAY = 1e-2  # of the first layer's weights to the embedding, as in AdamW
KEEP = 0.999  # of the averaged weights, a step
CLIP_NORM = 1.0
MOMENTS, EPSILON = (0.9, 0.999), 1e-8  # Adam's


def start(seed):
    """[w1, b1, w2, b2, w_skill, b_skill, w_params, b_params]"""
    rng = np.random.default_rng(seed)
    weights = []
    for n, m in ((INPUT, WIDTH), (WIDTH, WIDTH), (WIDTH, SKILLS), (WIDTH, PARAMS)):
        # The state's few inputs have as much to say as the sentence's many.
        spread = np.full((n, 1), np.sqrt(1.0 / n))
        if n == INPUT:
            spread[:EMBEDDING], spread[EMBEDDING:] = np.sqrt(0.5 / EMBEDDING), np.sqrt(0.5 / STATE)
        weights += [(spread * rng.standard_normal((n, m))).astype(np.float32), np.zeros(m, np.float32)]
    assert count(weights) == WEIGHTS, count(weights)
    return weights


def count(weights):
    return sum(each.size for each in weights)


def run(weights, x):
    """Logits and normalised parameters of normalised inputs (n, 1066), as the exported file computes them."""
    w1, b1, w2, b2, ws, bs, wp, bp = weights
    h = x @ w1 + b1
    h *= _sigmoid(h)
    h = h @ w2 + b2
    h *= _sigmoid(h)
    return h @ ws + bs, h @ wp + bp


def fit(weights, embeddings, meant, states, answers, batches, rates, rng, watch=None, every=2000):
    """Adam; the rate falls by a cosine between the two `rates`. The averaged weights.

    `embeddings` (n, 1024) normalised; `meant` (n, k): what a sentence means; `states()` gives fresh normalised scenes with
    what `answers(meant, scenes)` needs. `watch(at, weights, losses)` is called now and then.
    """
    weights = [each.copy() for each in weights]
    averaged = [each.copy() for each in weights]
    first, second = ([np.zeros_like(each) for each in weights] for _ in range(2))
    losses = []
    for at in range(1, batches + 1):
        said = rng.integers(0, len(embeddings), SENTENCES)
        noise = np.float32(NOISE) * rng.random((SENTENCES, 1), np.float32)
        seen = embeddings[said] + noise * rng.standard_normal((SENTENCES, EMBEDDING), np.float32)
        seen[rng.random(SENTENCES) < FORGOTTEN, CONCEPTS:] = 0.0
        scenes, x = states(rng, SENTENCES * SCENES)
        meanings = np.repeat(meant[said], SCENES, axis=0)
        loss, slopes = _loss(weights, seen, x, meanings[:, 0], answers(meanings, scenes))
        losses.append(loss)
        norm = np.sqrt(sum(np.vdot(slope, slope) for slope in slopes))
        scale = np.float32(min(1.0, CLIP_NORM / norm))
        plain = rates[1] + 0.5 * (rates[0] - rates[1]) * (1.0 + np.cos(np.pi * at / batches))
        rate = np.float32(plain * np.sqrt(1.0 - MOMENTS[1] ** at) / (1.0 - MOMENTS[0] ** at))
        keep = np.float32(min(KEEP, at / (9.0 + at)))  # short at first: forget the start
        weights[0][:EMBEDDING] *= np.float32(1.0 - plain * DECAY)
        for weight, average, slope, m, v in zip(weights, averaged, slopes, first, second):
            slope *= scale
            m += np.float32(1.0 - MOMENTS[0]) * (slope - m)
            slope *= slope
            v += np.float32(1.0 - MOMENTS[1]) * (slope - v)
            weight -= rate * m / (np.sqrt(v) + np.float32(EPSILON))
            average += (np.float32(1.0) - keep) * (weight - average)
        if watch is not None and (at % every == 0 or at == batches):
            watch(at, averaged, np.mean(losses[-every:], axis=0))
    return averaged


def _loss(weights, sentences, states, skill, params):
    """(cross entropy, mean absolute error) and the slopes of their weighted sum."""
    w1, b1, w2, b2, ws, bs, wp, bp = weights
    rows = len(states)
    z1 = states @ w1[EMBEDDING:] + np.repeat(sentences @ w1[:EMBEDDING] + b1, SCENES, axis=0)
    s1 = _sigmoid(z1)
    h1 = z1 * s1
    z2 = h1 @ w2 + b2
    s2 = _sigmoid(z2)
    h2 = z2 * s2
    logits = h2 @ ws + bs
    logits -= logits.max(1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(1, keepdims=True)
    right = (np.arange(rows), skill)
    entropy = -np.log(p[right] + 1e-12).mean()
    d_skill = p
    d_skill[right] -= 1.0
    d_skill /= np.float32(rows)
    wrong = h2 @ wp + bp - params
    d_params = np.sign(wrong) * np.float32(PARAMS_WEIGHT / wrong.size)
    d2 = (d_skill @ ws.T + d_params @ wp.T) * (s2 + h2 * (1.0 - s2))
    d1 = (d2 @ w2.T) * (s1 + h1 * (1.0 - s1))
    d1_said = d1.reshape(-1, SCENES, WIDTH).sum(1)
    slope1 = np.concatenate([sentences.T @ d1_said, states.T @ d1])
    slopes = [slope1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ d_skill, d_skill.sum(0), h2.T @ d_params, d_params.sum(0)]
    return (float(entropy), float(np.abs(wrong).mean())), slopes


def _sigmoid(x):
    return np.float32(0.5) * (np.float32(1.0) + np.tanh(np.float32(0.5) * x))  # as tanh: no overflow
