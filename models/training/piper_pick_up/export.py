"""The head as two files: an ONNX graph, and a manifest that says what its numbers mean."""

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .evaluate import EVALUATION_SEED
from .expert import CHUNK_STEPS, TICK_S
from .network import run
from .observation import CLIP, DECISION, JOINTS, MEAN, MEASURED, PARAMS, PREVIOUS, SIZE, STD, commands, normalise
from .safety import COMMAND_MAX, COMMAND_MIN

NAME = "piper_pick_up"
OPSET = 17
GOLDEN = 4
GOLDEN_TOLERANCE = 1e-4


def write(folder: Path, folded, observations, seed, result=None, episodes=0):
    """Both files; returns the path of the graph. `result` is the evaluation of this very graph."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.onnx"
    graph = _graph(folded).SerializeToString()
    path.write_bytes(graph)
    rng = np.random.default_rng(seed)
    golden = np.round(observations[rng.choice(len(observations), GOLDEN, replace=False)].astype(float), 6)
    answers = commands(run(folded, normalise(golden)))
    (folder / f"{NAME}.toml").write_text(_manifest(hashlib.sha256(graph).hexdigest(), golden, answers, seed, result, episodes))
    return path


def _graph(folded):
    names = ["w1", "b1", "w2", "b2", "w3", "b3", "skip"]
    weights = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in zip(names, folded)]
    weights.append(numpy_helper.from_array(np.array([1, CHUNK_STEPS, len(JOINTS)], np.int64), "shape"))
    weights += [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in (("low", -1.0), ("high", 1.0))]
    node = helper.make_node
    nodes = [
        node("Gemm", ["observation", "w1", "b1"], ["h1"]),
        node("Sigmoid", ["h1"], ["s1"]),
        node("Mul", ["h1", "s1"], ["a1"]),
        node("Gemm", ["a1", "w2", "b2"], ["h2"]),
        node("Sigmoid", ["h2"], ["s2"]),
        node("Mul", ["h2", "s2"], ["a2"]),
        node("Gemm", ["a2", "w3", "b3"], ["change"]),
        node("MatMul", ["observation", "skip"], ["last"]),
        node("Add", ["last", "change"], ["sum"]),
        node("Clip", ["sum", "low", "high"], ["flat"]),
        node("Reshape", ["flat", "shape"], ["action"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        NAME,
        [value("observation", TensorProto.FLOAT, [1, SIZE])],
        [value("action", TensorProto.FLOAT, [1, CHUNK_STEPS, len(JOINTS)])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="reflexd")
    model.ir_version = 8  # the one that goes with the opset; newer would shut out older runtimes
    onnx.checker.check_model(model, full_check=True)
    return model


def _manifest(digest, golden, answers, seed, result, episodes):
    joints = _strings(JOINTS)
    return f"""\
# Written by models/training; edit there.
schema = "reflex.head.v1"
name = "{NAME}"
robot = "piper"
skill = "pick_up"
onnx = "{NAME}.onnx"
sha256 = "{digest}"

[timing]
period_ms = {round(1000 * TICK_S)}
chunk_steps = {CHUNK_STEPS}
execute_steps = 8
mode = "inline"
deadline_ms = 10.0

[seam]
method = "fade"
ticks = 2

[[inputs]]
tensor = "observation"

# Measured: rad; the gripper's whole opening in m.
[[inputs.features]]
name = "joint_position"
joints = {joints}
{_spread(MEASURED)}

# The set-point last sent, after the safety filter; units as above.
[[inputs.features]]
name = "previous_action"
joints = {joints}
{_spread(PREVIOUS)}

# The berry's centre in the base frame and its radius, m; speed 0.5..1; whether it is a berry, 0 or 1.
[[inputs.features]]
name = "decision"
params = {_strings(PARAMS)}
{_spread(DECISION)}

[output]
tensor = "action"

[[output.columns]]
representation = "joint_range"
joints = {joints}
min = {_numbers(COMMAND_MIN)}
max = {_numbers(COMMAND_MAX)}

{_goldens(golden, answers)}
[provenance]
dataset = "simulated: a feedback expert in models/scenes/piper_berry.xml with varied berries and servos, corrected on the head's own states (DAgger), seed {seed}"
command = "make -C models/training train"
licence = "MIT OR Apache-2.0"
{_evaluation(result, episodes)}"""


def _evaluation(result, episodes):
    if result is None:
        return ""
    strata = [
        (f"{name}, executing {execute}", count)
        for name, row in result.items()
        for execute, (count, _) in row.items()
    ]
    rows = "".join(
        f'\n[[evaluation.strata]]\nname = "{name}"\nepisodes = {episodes}\nsuccesses = {count}\n' for name, count in strata
    )
    return f"""
[evaluation]
command = "make -C models/training evaluate"
date = "{date.today()}"
first_seed = {EVALUATION_SEED}
episodes = {episodes * len(strata)}
successes = {sum(count for _, count in strata)}
note = "a berry lifted 80 mm and held 1 s within 10 s"
{rows}"""


def _spread(part):
    return f"mean = {_numbers(MEAN[part])}\nstd = {_numbers(STD[part])}\nclip = {CLIP}"


def _goldens(golden, answers):
    blocks = []
    for observation, action in zip(golden, answers):
        rows = "\n".join(f"    {_numbers(row)}," for row in action)
        blocks.append(
            f"[[golden]]\nobservation = {_numbers(observation)}\naction = [\n{rows}\n]\ntolerance = {GOLDEN_TOLERANCE}\n"
        )
    return "\n".join(blocks)


def _numbers(values):
    return "[" + ", ".join(repr(round(float(value), 7) + 0.0) for value in values) + "]"


def _strings(values):
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
