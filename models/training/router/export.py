"""The head as two files: an ONNX graph, and the manifest that says what its numbers mean."""

import hashlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .network import INPUT, NAMES, PARAMS, SKILLS, WEIGHTS, WIDTH, count
from .phrases import SKILLS as SKILL_NAMES

OPSET = 17
CLIP = 10.0
TOLERANCE = 1e-3
BODIES = {
    "fireboy": (
        "right",
        """\
body = [
    { name = "joint_position", joints = ["root_x", "root_y", "root_z", "root_yaw"] },
    { name = "tool_position", arm = "right", axes = ["x", "y", "z"] },
    { name = "tool_position", arm = "left", axes = ["x", "y", "z"] },
    { name = "tool_position", arm = "mouth", axes = ["x", "y", "z"] },
    { name = "joint_position", joints = ["finger_R_a", "finger_R_b", "finger_L_a", "finger_L_b", "neck_yaw"] },
]""",
    ),
    "piper": (
        "arm",
        """\
body = [
    { name = "joint_position", joints = ["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "gripper"] },
    { name = "joint_velocity", joints = ["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "gripper"] },
    { name = "tool_position", arm = "arm", axes = ["x", "y", "z"] },
    { name = "previous_action", joints = ["gripper"] },
]""",
    ),
}


def write(folder, robot, weights, scales, identity, goldens, seed, sentences):
    """Both files; the path of the manifest. `scales`: {embedding, state, params: (mean, std)}. The evaluation comes later."""
    assert count(weights) == WEIGHTS
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{robot}_router"
    data = _graph(name, weights).SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"{name}.toml"
    path.write_text(_manifest(name, robot, digest, scales, identity, goldens, seed, sentences))
    return path


def _graph(name, weights):
    stored = [numpy_helper.from_array(np.ascontiguousarray(value), key) for key, value in zip(NAMES, weights)]
    node = helper.make_node
    nodes = [
        node("Gemm", ["x", "w1", "b1"], ["z1"]),
        node("Sigmoid", ["z1"], ["s1"]),
        node("Mul", ["z1", "s1"], ["h1"]),
        node("Gemm", ["h1", "w2", "b2"], ["z2"]),
        node("Sigmoid", ["z2"], ["s2"]),
        node("Mul", ["z2", "s2"], ["h2"]),
        node("Gemm", ["h2", "w_skill", "b_skill"], ["skill_logits"]),
        node("Gemm", ["h2", "w_params", "b_params"], ["params"]),
    ]
    value = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, width])
    graph = helper.make_graph(nodes, name, [value("x", INPUT)], [value("skill_logits", SKILLS), value("params", PARAMS)], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="reflexd")
    model.ir_version = 8  # the one that goes with the opset; newer would shut out older runtimes
    onnx.checker.check_model(model, full_check=True)
    return model


def _manifest(name, robot, digest, scales, identity, goldens, seed, sentences):
    hand, body = BODIES[robot]
    skills = ", ".join(f'"{skill}"' for skill in SKILL_NAMES)
    golden = "\n".join(
        f"[[golden]]\ninstruction = {_string(text)}\nstate = {_numbers(state, 4)}\n"
        f"logits = {_numbers(logits, 5)}\nparams = {_numbers(params, 6)}\ntolerance = {TOLERANCE}\n"
        for text, state, logits, params in goldens
    )
    return f"""\
# Written by models/training/router; edit there.
# 1024 numbers of an instruction and 42 of robot and scene -> {WIDTH} -> {WIDTH} -> 4 skills and 6 parameters, {WEIGHTS} weights.
schema = "reflex.router.v1"
name = "{name}"
robot = "{robot}"
onnx = "{name}.onnx"
sha256 = "{digest}"
skills = [{skills}]
clip = {CLIP}

[encoder]
name = {_string(identity["name"])}
prompt = {_string(identity["prompt"])}
fingerprint = {_string(identity["fingerprint"])}

[embedding]
{_scale(scales["embedding"])}

# No task and no stage: what is to be done is in the instruction alone. After the body, four slots: the two berries that are
# nearest to the hand and the two nearest other things, each [present, x, y, z, radius, is_berry], m, in the base frame.
[state]
hand = "{hand}"
{_scale(scales["state"])}
{body}

# target_x, target_y, target_z, radius: m; speed_hint; object_is_berry. (x - mean) / std is what the network answers.
[params]
{_scale(scales["params"])}

{golden}
[provenance]
dataset = "{sentences} generated instructions in generated scenes, seed {seed}; families of phrasings apart from those of validation and tests"
command = "make -C models/training train-router"
licence = "MIT OR Apache-2.0"
"""


def _scale(scale):
    mean, std = scale
    return f"mean = {_numbers(mean, 7)}\nstd = {_numbers(std, 7)}"


def _numbers(values, digits):
    return "[" + ", ".join(repr(round(float(value), digits) + 0.0) for value in np.atleast_1d(values)) + "]"


def _string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
