#!/usr/bin/env python3
"""Measures what a head loses with weights of reduced precision, and writes the manifest for the one that is chosen.

    python quantize.py ../heads/piper_pick_up.toml                           how far each precision is away
    python quantize.py ../heads/piper_pick_up.toml --precision fp16 --out OUT.toml

The new manifest's golden vectors are as tolerant as the precision needs, and no more. The ONNX file stays as it is: the daemon rounds weights when it loads them, as `[engine] precision` of the manifest says
(docs/engines.md). Here the same rounding is done to a copy, which runs in onnxruntime on the manifest's golden
observations and on random ones around them. An error is told as a share of the joint's range, or of what the column spans
if the manifest has no range for it. What `int8` does to the numbers between layers (16 bits) is not part of it.

Needs numpy, onnx and onnxruntime as requirements.txt pins them.
"""

import argparse
import os
import pathlib
import re
import sys
import tomllib

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported: it would send some

import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import numpy_helper  # noqa: E402

# A layer with fewer weights stays in 32 bits, as in src/engine/src/dense/program.rs.
WEIGHTS_MIN = 16_384
# The largest error that goes without a word, as a share of the joint's range.
LIMIT = 1e-3
RANDOM = 2000


def int8(weights, transposed):
    """One scale for each column; `transposed` weights have a row for each column."""
    largest = np.abs(weights).max(axis=1 if transposed else 0, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return (np.rint(weights / scale) * scale).astype(np.float32)


ROUNDING = {
    "fp16": lambda weights, _: weights.astype(np.float16).astype(np.float32),
    "bf16": lambda weights, _: weights.astype(ml_dtypes.bfloat16).astype(np.float32),
    "int8": int8,
}


def rounded(model, rounding):
    """A copy of a model whose large layers have rounded weights."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = {constant.name: constant for constant in copy.graph.initializer}
    for node in copy.graph.node:
        constant = constants.get(node.input[1]) if node.op_type in ("Gemm", "MatMul") else None
        if constant is None:
            continue
        weights = numpy_helper.to_array(constant)
        if weights.size >= WEIGHTS_MIN:
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            constant.CopyFrom(numpy_helper.from_array(rounding(weights, transposed), constant.name))
    return copy


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def feeds(manifest, random):
    """Normalised inputs: those of the golden vectors, then random ones between and around them."""
    golden = np.array([vector["observation"] for vector in manifest["golden"]])
    low, high = golden.min(axis=0), golden.max(axis=0)
    spread = np.maximum(high - low, 1e-3 * np.maximum(1, np.abs(high)))
    raw = np.concatenate([golden, low + spread * random.uniform(-0.1, 1.1, (RANDOM, golden.shape[1]))])
    at, made = 0, [{} for _ in raw]
    for tensor in manifest["inputs"]:
        parts = []
        for feature in tensor["features"]:
            mean, std = np.array(feature["mean"]), np.array(feature["std"])
            part = (raw[:, at:at + mean.size] - mean) / std
            clip = feature.get("clip", np.inf)
            parts.append(np.clip(part, -clip, clip))
            at += mean.size
        values = np.concatenate(parts, axis=1).astype(np.float32)
        for feed, row in zip(made, values):
            feed[tensor["tensor"]] = row.reshape(tensor.get("shape", [1, row.size]))
    if at != raw.shape[1]:
        sys.exit(f"the golden observations have {raw.shape[1]} numbers, the features {at}: features that are made up of "
                 "other keys than mean and std are not known here")
    return made


def worst(model, manifest, inputs, precision):
    """Largest and typical difference from 32 bits, as a share of each column's range; golden ones first. Last the largest
    golden one in the units of the columns."""
    name = manifest["output"]["tensor"]
    exact, coarse = session(model), session(rounded(model, ROUNDING[precision]))
    wanted = np.array([exact.run([name], feed)[0][0] for feed in inputs])
    got = np.array([coarse.run([name], feed)[0][0] for feed in inputs])
    ranges, units = [], []
    for column in manifest["output"]["columns"]:
        if "min" in column:  # the network's -1 to 1 is the whole of it
            ranges += [2.0] * len(column["min"])
            units += [(high - low) / 2 for low, high in zip(column["min"], column["max"])]
        else:
            ranges += [None] * len(column.get("joints", [0]))
            units += [1.0] * len(column.get("joints", [0]))
    spans = wanted.reshape(-1, wanted.shape[-1])
    spans = spans.max(axis=0) - spans.min(axis=0)
    if len(ranges) == spans.size:
        spans = np.array([span if known is None else known for known, span in zip(ranges, spans)])
    away = np.abs(got - wanted)
    error = away / np.maximum(spans, 1e-9)
    golden = len(manifest["golden"])
    units = np.array(units) if len(units) == spans.size else np.ones(spans.size)
    si = (away[:golden] * units).max()
    return error[:golden].max(), error[golden:].max(), float(np.quantile(error[golden:], 0.99)), float(si)


def widened(text, error):
    """The golden vectors' tolerances, wide enough for this error and a half of it: the engine that runs them rounds."""
    def one(match):
        tolerance = max(float(match.group(1)), float(f"{1.5 * error:.1e}"))
        return f"tolerance = {tolerance:g}"
    return re.sub(r"(?m)^tolerance = (\S+)", one, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("manifest", type=pathlib.Path)
    parser.add_argument("--precision", choices=sorted(ROUNDING))
    parser.add_argument("--out", type=pathlib.Path, help="the new manifest, beside the ONNX file")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    text = arguments.manifest.read_text(encoding="utf-8")
    manifest = tomllib.loads(text)
    model = onnx.load(arguments.manifest.parent / manifest["onnx"])
    inputs = feeds(manifest, np.random.default_rng(arguments.seed))
    print(f"{manifest['name']}, seed {arguments.seed}: error as a share of the range (limit {LIMIT:g})")
    print("  precision   golden, largest   random, largest   random, 99 %")
    chosen = None
    for precision in ROUNDING if arguments.precision is None else [arguments.precision]:
        golden, random, typical, si = worst(model, manifest, inputs, precision)
        print(f"  {precision:<9} {golden:>17.1e} {random:>17.1e} {typical:>14.1e}")
        chosen = golden
    if arguments.precision and arguments.out:
        if chosen > LIMIT:
            sys.exit(f"not written: on a golden vector {arguments.precision} is {chosen:.1e} away, more than {LIMIT:g}")
        if "engine" in manifest:
            sys.exit("not written: the manifest has an [engine] table already; change its precision by hand")
        table = f'[engine]\nprecision = "{arguments.precision}"\n\n'
        text = re.sub(r"(?m)^\[seam\]", table + "[seam]", widened(text, si), count=1)
        arguments.out.write_text(text, encoding="utf-8")
        print(f"written: {arguments.out}; `reflexd head check` says whether its golden vectors hold with it")


if __name__ == "__main__":
    main()
