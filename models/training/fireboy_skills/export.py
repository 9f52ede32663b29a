"""A head as two files: an ONNX graph, and a manifest that says what its numbers mean."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import words as embedding
from .belief import STAGES
from .body import CENTRE, HALF, JOINTS, TOOLS, commands
from .network import RESIDUAL_SCALE
from .safety import TICK_S
from .skills import GAIT, ROOT, Handling
from .training import CLIP

OPSET = 17
GOLDEN = 2
GOLDEN_TOLERANCE = 1e-4
EXECUTE_STEPS = 8


def write(head, folder: Path, observations, words, seed, name=None):
    """Both files; returns the path of the manifest. The evaluation record comes later, from `reflexd eval`."""
    name = name or head.skill.name
    folder.mkdir(parents=True, exist_ok=True)
    data = _graph(name, head).SerializeToString()
    (folder / f"{name}.onnx").write_bytes(data)
    rows = np.random.default_rng(seed).choice(len(observations), GOLDEN, replace=False)
    seen = np.round(observations[rows].astype(float), 6)
    told = None
    if head.skill.words:
        told = np.round(words.held_out(head.skill.skill)[:GOLDEN].astype(float), 7)
        answers = commands(head.answer(head.normalise(seen), words.normalised(told)).astype(float))
        seen = np.concatenate([seen, told], axis=1)
    else:
        answers = commands(head.answer(head.normalise(seen)).astype(float))
    text = _manifest(head, name, hashlib.sha256(data).hexdigest(), seen, answers, words, seed)
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def _graph(name, head):
    node, value = helper.make_node, helper.make_tensor_value_info
    nodes, weights = [], []

    def constant(label, array, kind=np.float32):
        weights.append(numpy_helper.from_array(np.ascontiguousarray(array, kind), label))
        return label

    def mlp(part, label, x):
        for at in range(0, len(part.weights), 2):
            layer = f"{label}.{at}"
            names = constant(f"{layer}.weight", part.weights[at].T), constant(f"{layer}.bias", part.weights[at + 1])
            nodes.append(node("Gemm", [x, *names], [f"{layer}.out"], transB=1))
            x = f"{layer}.out"
            if part.closing or at + 2 < len(part.weights):
                nodes.append(node("Sigmoid", [x], [f"{layer}.gate"]))
                nodes.append(node("Mul", [x, f"{layer}.gate"], [f"{layer}.silu"]))
                x = f"{layer}.silu"
        return x

    size, out = len(head.mean), head.steps * 32
    if head.skill.words:
        inputs = [value("state", TensorProto.FLOAT, [1, size]), value("vl", TensorProto.FLOAT, [1, embedding.WIDTH])]
        by_state = mlp(head.net.state_head, "state_head", "state")
        limits = constant("vl_low", -embedding.CLIP), constant("vl_high", embedding.CLIP)
        nodes.append(node("Clip", ["vl", *limits], ["vl_clipped"]))
        told = mlp(head.net.vl_head, "vl_head", "vl_clipped")
        nodes.append(node("Concat", [told, "state"], ["fused"], axis=1))
        correction = mlp(head.net.residual_head, "residual_head", "fused")
        nodes.append(node("Mul", [correction, constant("residual_scale", RESIDUAL_SCALE)], ["correction"]))
        nodes.append(node("Add", [by_state, "correction"], ["y"]))
    else:
        inputs = [value("observation", TensorProto.FLOAT, [1, size])]
        nodes.append(node("Identity", [mlp(head.net.body, "body", "observation")], ["y"]))
    nodes.append(node("Mul", ["y", constant("action_std", head.action_std)], ["spread"]))
    nodes.append(node("Add", ["spread", constant("action_mean", head.action_mean)], ["moved"]))
    last = "moved"
    if head.carried is not None:
        nodes.append(node("MatMul", ["observation", constant("carried", head.carried)], ["here"]))
        nodes.append(node("Add", ["moved", "here"], ["there"]))
        last = "there"
    nodes.append(node("Clip", [last, constant("low", -1.0), constant("high", 1.0)], ["flat"]))
    nodes.append(node("Reshape", ["flat", constant("shape", [1, head.steps, 32], np.int64)], ["action_chunk"]))
    outputs = [value("action_chunk", TensorProto.FLOAT, [1, head.steps, 32])]
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="reflexd")
    model.ir_version = 8  # the one that goes with the opset; newer would shut out older runtimes
    onnx.checker.check_model(model, full_check=True)
    assert out == len(head.action_std)
    return model


def _manifest(head, name, digest, seen, answers, words, seed):
    skill = head.skill
    fused = isinstance(skill, Handling)
    return f"""\
# Written by models/training; edit there.
schema = "reflex.head.v1"
name = "{name}"
robot = "fireboy"
skill = "{skill.skill}"
onnx = "{name}.onnx"
sha256 = "{digest}"

[timing]
period_ms = {round(1000 * TICK_S)}
chunk_steps = {head.steps}
execute_steps = {min(EXECUTE_STEPS, head.steps)}
mode = "inline"
deadline_ms = 20.0

[seam]
method = "cut"

{_of_handling(head, words) if fused else _of_travelling(head)}
[output]
tensor = "action_chunk"

[[output.columns]]
representation = "joint_absolute"
joints = {_strings(JOINTS)}

[output.columns.normalised]
method = "centre_half"
centre = {_numbers(CENTRE)}
half = {_numbers(HALF)}

{_goldens(seen, answers)}
[provenance]
dataset = "simulated on {" and ".join(f"models/scenes/{each}.xml" for each in skill.scenes)}: a feedback teacher, varied springs, friction, masses and starts, corrected on the head's own states (DAgger), seed {seed}"
command = "make -C models/training train-fireboy"
licence = "MIT OR Apache-2.0"
"""


def _feature(head, part, **keys):
    lines = "\n".join(f"{key} = {value}" for key, value in keys.items())
    return f"[[inputs.features]]\n{lines}\nmean = {_numbers(head.mean[part])}\nstd = {_numbers(head.std[part])}\nclip = {CLIP}\n"


def _of_handling(head, words):
    skill, identity = head.skill, words.identity
    grip = skill.grip
    xyz = '["x", "y", "z"]'
    tool = lambda at, part: _feature(head, part, name='"tool_position"', arm=f'"{TOOLS[at]}"', axes=xyz)
    features = [
        tool(0, slice(0, 3)),
        tool(1, slice(3, 6)),
        _feature(head, slice(6, 9), name='"object_position"', axes=xyz),
        tool(2, slice(9, 12)),
        "# The task: pick_up, go_eat_berry, run_around, go_to_point.\n"
        + _feature(head, slice(12, 16), name='"constant"', values=_numbers(skill.task)),
        _feature(head, slice(16, 24), name='"stage"', stages=_strings(STAGES)),
        "# The published layout's stopwatch. These heads have none.\n"
        + _feature(head, slice(24, 25), name='"constant"', values="[0.0]"),
        _feature(head, slice(25, 26), name='"grasped"'),
        _feature(head, slice(26, 27), name='"eaten"'),
    ]
    lowest = f"z_min = {grip.lowest_m}\n" if grip.lowest_m else ""
    return f"""\
[encoder]
name = "{identity["name"]}"
prompt = "{identity["prompt"]}"
fingerprint = "{identity["fingerprint"]}"

# Where the head believes the berry: at the decision's target until grasped, then at the hand.
[object]
arm = "right"
fingers = ["finger_R_a", "finger_R_b"]
closed_below = {grip.closed_m}
reach_m = {grip.reach_m}
carried = "hand"
{lowest}mouth = "mouth"
eaten_within_m = {grip.eaten_m}

{_stages(skill.stages)}
[[inputs]]
tensor = "state"

{chr(10).join(features)}
[[inputs]]
tensor = "vl"

[[inputs.features]]
name = "embedding"
width = {embedding.WIDTH}
mean = [{embedding.MEAN}]
std = [{embedding.STD}]
clip = {embedding.KNOWN}
"""


def _stages(stages):
    return "\n".join(
        f'[[stages]]\nname = "{each.name}"\n'
        + (f"when = {_bounds(each.when)}\n" if each.when else "")
        + (f"while = {_bounds(each.stay)}\n" if each.stay else "")
        for each in stages
    )


def _bounds(bounds):
    found = []
    for each in bounds:
        keys = [f'of = "{each.of}"']
        keys += ['arm = "right"'] if each.of.startswith("distance") else []
        keys += [f"below = {each.below}"] if np.isfinite(each.below) else []
        keys += [f"at_least = {each.at_least}"] if np.isfinite(each.at_least) else []
        found.append("{ " + ", ".join(keys) + " }")
    return "[" + ", ".join(found) + "]"


def _of_travelling(head):
    skill = head.skill
    at = lambda columns: _strings([JOINTS[each] for each in columns])
    first, second, third = 3, 7, 10
    fourth = third + len(skill.measures)
    features = [
        _feature(head, slice(0, first), name='"joint_position"', joints=at(ROOT)),
        "# The legs tell where in a stride the body is.\n"
        + _feature(head, slice(first, second), name='"joint_position"', joints=at(GAIT)),
        _feature(head, slice(second, third), name='"joint_velocity"', joints=at(ROOT)),
        _feature(
            head, slice(third, fourth), name='"relative"', origin='["root_x", "root_y"]', to='"target"', measures=_strings(skill.measures)
        ),
        _feature(head, slice(fourth, None), name='"decision"', params=_strings(skill.params)),
    ]
    return '[[inputs]]\ntensor = "observation"\n\n' + "\n".join(features)


def _goldens(seen, answers):
    blocks = []
    for observation, action in zip(seen, answers):
        rows = "\n".join(f"    {_numbers(row)}," for row in action)
        blocks.append(f"[[golden]]\nobservation = {_numbers(observation)}\naction = [\n{rows}\n]\ntolerance = {GOLDEN_TOLERANCE}\n")
    return "\n".join(blocks)


def _numbers(values):
    return "[" + ", ".join(repr(round(float(value), 7) + 0.0) for value in values) + "]"


def _strings(values):
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
