"""A head as two files: an ONNX graph, and a manifest that says what its numbers mean."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .law import TICK_S
from .layout import BASE, CLIP, DECISION_FROM, DELAY, JOINTS, LAST, MEASURED, commands
from .network import run
from .safety import COMMAND_MAX, COMMAND_MIN

OPSET = 17
WEIGHTS = ("w1", "b1", "w2", "b2", "w3", "b3", "skip")
GOLDEN = 4
GOLDEN_TOLERANCE = 1e-4


def write(skill, folder: Path, folded, observations, seed):
    """Both files; returns the path of the graph. The evaluation record comes later, from `reflexd eval`."""
    name = f"piper_{skill.name}"
    path, digest = graph(folder, name, folded)
    golden = _picked(observations, seed)
    answers = commands(run(folded, skill.layout.normalise(golden)))
    (folder / f"{name}.toml").write_text(_manifest(skill, name, digest, golden, answers, seed))
    return path


def write_correction(skill, layout, limits, folder: Path, folded, observations, seed):
    """The same for what corrects the skill's head: its answers are offsets within -limits..limits."""
    name = f"piper_{skill.name}_correction"
    path, digest = graph(folder, name, folded)
    golden = _picked(observations, seed)
    answers = (run(folded, layout.normalise(golden)) * limits)[:, None]
    manifest = _correction_manifest(skill, layout, limits, name, digest, golden, answers, seed)
    (folder / f"{name}.toml").write_text(manifest)
    return path


def graph(folder, name, folded):
    """Writes it; its path and digest."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    data = _graph(name, folded).SerializeToString()
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


def _picked(observations, seed):
    rows = np.random.default_rng(seed).choice(len(observations), GOLDEN, replace=False)
    return np.round(observations[rows].astype(float), 6)


def read(path):
    """What `run` takes, out of a graph that was written here."""
    values = {each.name: numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}
    return [values[name] for name in WEIGHTS]


def _graph(name, folded):
    weights = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in zip(WEIGHTS, folded)]
    weights.append(numpy_helper.from_array(np.array([1, len(folded[5]) // len(JOINTS), len(JOINTS)], np.int64), "shape"))
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
        name,
        [value("observation", TensorProto.FLOAT, [1, len(folded[0])])],
        [value("action", TensorProto.FLOAT, [1, len(folded[5]) // len(JOINTS), len(JOINTS)])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="reflexd")
    model.ir_version = 8  # the one that goes with the opset; newer would shut out older runtimes
    onnx.checker.check_model(model, full_check=True)
    return model


def _manifest(skill, name, digest, golden, answers, seed):
    joints = _strings(JOINTS)
    layout = skill.layout
    return f"""\
# Written by models/training; edit there.
schema = "reflex.head.v1"
name = "{name}"
robot = "piper"
skill = "{skill.name}"
onnx = "{name}.onnx"
sha256 = "{digest}"

[timing]
period_ms = {round(1000 * TICK_S)}
chunk_steps = {answers.shape[1]}
execute_steps = {min(8, answers.shape[1])}
mode = "inline"
deadline_ms = 10.0
first_step = "take_over"

[seam]
method = "prefix"

[[inputs]]
tensor = "observation"

# Measured: rad; the gripper's whole opening in m.
[[inputs.features]]
name = "joint_position"
joints = {joints}
{_spread(layout, MEASURED)}

# The set-point just before the answer takes over, after the safety filter; units as above.
[[inputs.features]]
name = "prefix"
joints = {joints}
steps = 1
align = "end"
{_spread(layout, LAST)}

# Ticks from the observation to the take-over; trained from 0 to 8.
[[inputs.features]]
name = "delay"
{_spread(layout, DELAY)}

# {skill.says}
[[inputs.features]]
name = "decision"
params = {_strings(layout.params)}
{_spread(layout, slice(DECISION_FROM, layout.size))}

[output]
tensor = "action"

[[output.columns]]
representation = "joint_range"
joints = {joints}
min = {_numbers(COMMAND_MIN)}
max = {_numbers(COMMAND_MAX)}

{_goldens(golden, answers)}
[provenance]
dataset = "simulated: a feedback teacher, varied things, servos and delays, corrected on the head's own states (DAgger), seed {seed}"
command = "make -C models/training train"
licence = "MIT OR Apache-2.0"
"""


def _correction_manifest(skill, layout, limits, name, digest, golden, answers, seed):
    joints = _strings(JOINTS)
    return f"""\
# Written by models/training; edit there. Offsets to the set-point that is due, for a head that names this file in its
# `[correction]`.
schema = "reflex.head.v1"
name = "{name}"
robot = "piper"
skill = "{skill.name}"
onnx = "{name}.onnx"
sha256 = "{digest}"

[timing]
period_ms = {round(1000 * TICK_S)}
chunk_steps = 1
execute_steps = 1
mode = "inline"
deadline_ms = 5.0

[seam]
method = "cut"

[[inputs]]
tensor = "observation"

# Measured: rad; the gripper's whole opening in m.
[[inputs.features]]
name = "joint_position"
joints = {joints}
{_spread(layout, MEASURED)}

# The set-point last sent, after the safety filter; units as above.
[[inputs.features]]
name = "previous_action"
joints = {joints}
{_spread(layout, LAST)}

# The set-point of the base head that is due now.
[[inputs.features]]
name = "base_action"
joints = {joints}
{_spread(layout, BASE)}

# {skill.says}
[[inputs.features]]
name = "decision"
params = {_strings(layout.params)}
{_spread(layout, slice(BASE.stop, layout.size))}

[output]
tensor = "action"

# Offsets: rad, m.
[[output.columns]]
representation = "joint_range"
joints = {joints}
min = {_numbers(-limits)}
max = {_numbers(limits)}

{_goldens(golden, answers)}
[provenance]
dataset = "simulated: late chunks of piper_{skill.name}, and what the teacher does at each tick instead, seed {seed}"
command = "make -C models/training train"
licence = "MIT OR Apache-2.0"
"""


def _spread(layout, part):
    return f"mean = {_numbers(layout.mean[part])}\nstd = {_numbers(layout.std[part])}\nclip = {CLIP}"


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
