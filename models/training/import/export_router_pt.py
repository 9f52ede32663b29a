"""A router head that PyTorch saved, as ONNX and a manifest: for Fire Boy's `router_skill_param_head.pt` and its like.

Needs nothing but Python: the archive is read by a reader that knows the few types that such a file has, and refuses
every other. So a file from a stranger cannot do more than be refused.

    python3 models/training/import/export_router_pt.py router_skill_param_head.pt --out /tmp/router.toml
"""

import argparse
import array
import hashlib
import json
import math
import pathlib
import pickle
import random
import struct
import sys
import zipfile

SCHEMA = "reflex.router.v1"
# The bound on every normalised number, and the smallest deviation that anything is divided by: one number of the published
# router moved by 6e-6 in its data, and a hundredth more would be 1572 deviations and decide everything.
CLIP = 10.0
STD_FLOOR = 1e-4
EXAMPLES = 3
TOLERANCE = 1e-5
# The checkpoint's state, `nav_clock`, as features of a manifest. Tasks and stages name the answer, which nobody knows
# before it is given: they are 0, as they were where the published router was served.
ROOT = {"root_x": [-2.4, 2.4], "root_y": [-2.0, 2.0], "root_z": [0.0, 0.2], "root_yaw": [-3.141593, 3.141593]}
XYZ = ["x", "y", "z"]
NAV_CLOCK = [
    {"name": "joint_position", "joints": ["root_x", "root_y"]},
    {"name": "joint_sine", "joints": ["root_yaw"]},
    {"name": "joint_cosine", "joints": ["root_yaw"]},
    {
        "name": "relative",
        "origin": ["root_x", "root_y"],
        "yaw": "root_yaw",
        "measures": ["dx", "dy", "distance_xy", "sin_bearing", "cos_bearing", "sin_heading", "cos_heading"],
    },
    {"name": "tool_position", "arm": "right", "axes": XYZ},
    {"name": "tool_position", "arm": "left", "axes": XYZ},
    {"name": "object_position", "axes": XYZ},
    {"name": "tool_position", "arm": "mouth", "axes": XYZ},
    {"name": "constant", "values": [0.0] * 4},
    {
        "name": "previous_action",
        "joints": list(ROOT),
        "min": [low for low, _ in ROOT.values()],
        "max": [high for _, high in ROOT.values()],
    },
    {"name": "constant", "values": [0.0] * 8},
    {"name": "constant", "values": [0.0] * 3},
]


class Refused(Exception):
    """The file is not what it should be."""


class Tensor:
    """Numbers with a shape, row by row."""

    def __init__(self, shape=(), numbers=()):
        self.shape, self.numbers = tuple(shape), list(numbers)

    def __setstate__(self, state):
        # As NumPy pickles an array: version, shape, type, whether it is in Fortran's order, bytes.
        _, shape, kind, fortran, content = state
        if fortran or kind.code not in ("f4", "f8") or kind.order not in ("<", "="):
            raise Refused(f"an array of {kind.order}{kind.code} is not read: save float32, in C's order")
        numbers = array.array("f" if kind.code == "f4" else "d")
        numbers.frombytes(content)
        if sys.byteorder != "little":
            numbers.byteswap()
        self.__init__(shape, numbers)


class Kind:
    """The type of an array's numbers."""

    def __init__(self, code, *_):
        self.code, self.order = code, "="

    def __setstate__(self, state):
        self.order = state[1]


def encode(text, encoding):
    if encoding != "latin1":
        raise Refused(f"text of encoding {encoding} is not read")
    return text.encode("latin1")


def rebuild(storage, offset, shape, stride, *_):
    """A contiguous piece of a storage."""
    wanted = tuple(math.prod(shape[at + 1 :]) for at in range(len(shape)))
    if tuple(stride) != wanted:
        raise Refused(f"a tensor of strides {stride} is not read: save contiguous ones")
    count = math.prod(shape)
    if not 0 <= offset <= len(storage) - count:
        raise Refused("a tensor reaches beyond its storage")
    return Tensor(shape, storage[offset : offset + count])


class Reader(pickle.Unpickler):
    """Makes nothing but what stands here."""

    KNOWN = {
        ("torch._utils", "_rebuild_tensor_v2"): rebuild,
        ("torch", "FloatStorage"): "f",
        ("torch", "DoubleStorage"): "d",
        ("collections", "OrderedDict"): dict,
        ("numpy._core.multiarray", "_reconstruct"): lambda *_: Tensor(),
        ("numpy.core.multiarray", "_reconstruct"): lambda *_: Tensor(),
        ("numpy", "ndarray"): Tensor,
        ("numpy", "dtype"): Kind,
        ("_codecs", "encode"): encode,
    }

    def __init__(self, archive, folder):
        self.archive, self.folder = archive, folder
        super().__init__(archive.open(f"{folder}/data.pkl"))

    def find_class(self, module, name):
        try:
            return self.KNOWN[module, name]
        except KeyError:
            raise Refused(f"it wants {module}.{name}, which a router head has no need of") from None

    def persistent_load(self, ident):
        what, kind, key, _, count = ident
        if what != "storage" or kind not in ("f", "d") or not str(key).isdigit():
            raise Refused(f"a storage of {kind!r} is not read")
        numbers = array.array(kind)
        numbers.frombytes(self.archive.read(f"{self.folder}/data/{key}"))
        if sys.byteorder != "little":
            numbers.byteswap()
        if len(numbers) != count:
            raise Refused(f"storage {key} has {len(numbers)} numbers, and should have {count}")
        return numbers


def read(file):
    with zipfile.ZipFile(file) as archive:
        inside = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(inside) != 1:
            raise Refused("it is no archive of torch.save")
        folder = inside[0].rsplit("/", 1)[0]
        if f"{folder}/byteorder" in archive.namelist() and archive.read(f"{folder}/byteorder") != b"little":
            raise Refused("it was saved on a machine of another byte order")
        return Reader(archive, folder).load()


# The few messages of the ONNX format that are written: field numbers of onnx/onnx.proto.
FLOAT = 1


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def whole(number, value):
    return varint(number << 3) + varint(value)


def node(op, inputs, output, attributes=b""):
    return field(1, b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, op) + attributes)


def weights(name, tensor):
    numbers = array.array("f", tensor.numbers)
    if sys.byteorder != "little":
        numbers.byteswap()
    dims = b"".join(whole(1, size) for size in tensor.shape)
    return field(5, dims + whole(2, FLOAT) + field(8, name) + field(9, numbers.tobytes()))


def port(number, name, size):
    dims = b"".join(field(1, whole(1, length)) for length in (1, size))
    return field(number, field(1, name) + field(2, field(1, whole(1, FLOAT) + field(2, dims))))


def gemm(name, source, target):
    transposed = field(5, field(1, "transB") + whole(3, 1) + whole(20, 2))
    return node("Gemm", [source, f"{name}.weight", f"{name}.bias"], target, transposed)


def silu(source, target):
    return node("Sigmoid", [source], f"{source}_gate") + node("Mul", [source, f"{source}_gate"], target)


def network(head, width, skills, params):
    nodes = (
        gemm("trunk.0", "x", "h0")
        + silu("h0", "a0")
        + gemm("trunk.2", "a0", "h1")
        + silu("h1", "a1")
        + gemm("skill_head", "a1", "skill_logits")
        + gemm("param_head", "a1", "params")
    )
    graph = nodes + field(2, "router") + b"".join(weights(name, tensor) for name, tensor in head.items())
    graph += port(11, "x", width) + port(12, "skill_logits", skills) + port(12, "params", params)
    opset = field(8, field(1, "") + whole(2, 17))
    return whole(1, 8) + field(2, "reflexd") + field(7, graph) + opset


def answer(head, numbers):
    """What the network answers, in double precision."""

    def layer(name, values):
        weight, bias = head[f"{name}.weight"], head[f"{name}.bias"]
        width = weight.shape[1]
        rows = (weight.numbers[at * width : (at + 1) * width] for at in range(weight.shape[0]))
        return [sum(map(float.__mul__, row, values), start) for row, start in zip(rows, bias.numbers)]

    def gate(values):
        return [value / (1.0 + math.exp(-value)) for value in values]

    hidden = gate(layer("trunk.2", gate(layer("trunk.0", numbers))))
    return layer("skill_head", hidden), layer("param_head", hidden)


def check(content):
    """Head, statistics and names, of the sizes that they say."""
    if not isinstance(content, dict) or not isinstance(content.get("head"), dict):
        raise Refused("it has no `head`")
    head = content["head"]
    vl, state = content.get("vl_dim"), content.get("state_dim")
    skills, params = content.get("skill_names"), content.get("param_names")
    shapes = {name: getattr(tensor, "shape", None) for name, tensor in head.items()}
    middle = shapes.get("trunk.0.bias", (0,))[0]
    wanted = {
        "trunk.0.weight": (middle, vl + state),
        "trunk.0.bias": (middle,),
        "trunk.2.weight": (middle, middle),
        "trunk.2.bias": (middle,),
        "skill_head.weight": (len(skills), middle),
        "skill_head.bias": (len(skills),),
        "param_head.weight": (len(params), middle),
        "param_head.bias": (len(params),),
    }
    if shapes != wanted:
        raise Refused(f"its head has the tensors {shapes}, and should have {wanted}")
    for name, size in (("vl", vl), ("state", state), ("param", len(params))):
        for what in ("mean", "std"):
            tensor = content.get(f"{name}_{what}")
            if getattr(tensor, "shape", None) != (size,) or not all(map(math.isfinite, tensor.numbers)):
                raise Refused(f"{name}_{what} is no list of {size} finite numbers")
        if min(content[f"{name}_std"].numbers) <= 0.0:
            raise Refused(f"{name}_std has to be above 0")
    if content.get("state_mode") != "nav_clock" or state != 42:
        raise Refused(f"state_mode = {content.get('state_mode')!r}: only nav_clock, of 42 numbers, is known")
    return head, skills, params


def toml(value):
    """A value; every number with a point, as TOML tells whole ones from others."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else repr(float(value))


def keys(table):
    return "".join(f"{key} = {toml(value)}\n" for key, value in table.items())


def plain(feature):
    """A feature whose numbers are seen as they are: the state as a whole has its own statistics."""
    width = next(len(feature[key]) for key in ("joints", "axes", "measures", "values") if key in feature)
    return feature | {"mean": [0.0] * width, "std": [1.0] * width}


def manifest(content, head, skills, onnx, sha256, arguments):
    floored = [max(std, STD_FLOOR) for std in content["state_std"].numbers]
    still = [at for at, std in enumerate(content["state_std"].numbers) if std < STD_FLOOR]
    model = {name: content.get(name) for name in ("model_id", "downsample_mode", "max_slice_nums")}
    # Nobody's fingerprint, until somebody tells it: so that no other encoder's numbers are taken for this one's.
    nobody = hashlib.sha256(json.dumps(model, sort_keys=True).encode()).hexdigest()
    encoder = {
        "name": arguments.encoder,
        "prompt": arguments.prompt,
        "fingerprint": arguments.fingerprint or nobody,
    }
    text = f"# Made by export_router_pt.py of a checkpoint for {model['model_id']}, downsample_mode {model['downsample_mode']}, "
    text += f"max_slice_nums {model['max_slice_nums']}.\n"
    if not arguments.fingerprint:
        text += "# The fingerprint is that of no encoder: nobody can know which numbers this head was trained on. Tell --fingerprint.\n"
    text += keys({"schema": SCHEMA, "name": arguments.name, "robot": arguments.robot, "onnx": onnx, "sha256": sha256})
    text += keys({"skills": skills, "clip": CLIP})
    text += "\n[encoder]\n" + keys(encoder)
    text += "\n[embedding]\n" + keys({"mean": content["vl_mean"].numbers, "std": content["vl_std"].numbers})
    if still:
        text += f"\n# Numbers {still} stood still in the data: divided by {STD_FLOOR} instead.\n"
    else:
        text += "\n"
    text += "[state]\n" + keys({"mean": content["state_mean"].numbers, "std": floored})
    text += "".join("\n[[state.features]]\n" + keys(plain(feature)) for feature in NAV_CLOCK)
    means, stds = content["param_mean"].numbers, content["param_std"].numbers
    text += "\n[params]\n" + keys({"mean": means, "std": stds})
    drawn = random.Random(1)
    for _ in range(EXAMPLES):
        place = [drawn.uniform(-1.0, 1.0) for _ in content["vl_mean"].numbers]
        stand = [0.0 if at in still else drawn.uniform(-1.0, 1.0) for at in range(len(floored))]
        logits, params = answer(head, place + stand)
        raw = [m + s * p for m, s, p in zip(content["vl_mean"].numbers, content["vl_std"].numbers, place)]
        state = [m + s * p for m, s, p in zip(content["state_mean"].numbers, floored, stand)]
        golden = {"embedding": raw, "state": state, "logits": logits}
        golden["params"] = [m + s * p for m, s, p in zip(means, stds, params)]
        text += "\n[[golden]]\n" + keys(golden) + f"tolerance = {TOLERANCE}\n"
    text += "\n[provenance]\n" + keys({"dataset": ", ".join(content.get("manifests") or ["not told"]), "licence": arguments.licence})
    return text, still


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the manifest, *.toml; the network goes beside it")
    parser.add_argument("--name", help="the head's name; that of the file, if left out")
    parser.add_argument("--robot", default="fireboy")
    parser.add_argument("--encoder", default="minicpm", help="the encoder's name")
    parser.add_argument("--prompt", default="{instruction}", help="the prompt that the instruction is put into")
    parser.add_argument("--fingerprint", help="64 hex digits, as the encoder tells of itself")
    parser.add_argument("--licence", default="MIT, copyright 2026 Sanju")
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    arguments = parser.parse_args()
    out, onnx = arguments.out, arguments.out.with_suffix(".onnx")
    arguments.name = arguments.name or out.stem
    if out.suffix != ".toml":
        return f"--out {out}: name the manifest that is to be written, *.toml"
    if not arguments.force and (out.exists() or onnx.exists()):
        return f"{out} is there already: name another with --out, or overwrite it with --force"
    try:
        content = read(arguments.checkpoint)
        head, skills, params = check(content)
    except (Refused, OSError, pickle.UnpicklingError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        return f"{arguments.checkpoint}: {error}: name a router head that torch.save wrote"
    network_bytes = network(head, content["vl_dim"] + content["state_dim"], len(skills), len(params))
    sha256 = hashlib.sha256(network_bytes).hexdigest()
    text, still = manifest(content, head, skills, onnx.name, sha256, arguments)
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.write_bytes(network_bytes)
    out.write_text(text)
    count = sum(math.prod(tensor.shape) for tensor in head.values())
    told = {"manifest": str(out), "onnx": str(onnx), "sha256": sha256, "parameters": count, "skills": skills}
    told["stood_still"] = still
    print(json.dumps(told))
    return None


if __name__ == "__main__":
    problem = main()
    if problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
