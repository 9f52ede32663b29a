#!/usr/bin/env python3
"""Writes the ONNX graph of a LeRobot ACT policy, and what LeRobot itself answers with, for `reflexd head import`.

    python3 -m venv .venv-import && .venv-import/bin/pip install -r models/training/import/requirements.txt
    .venv-import/bin/python models/training/import/export_lerobot_act.py outputs/train/my_act/checkpoints/last/pretrained_model
    reflexd head import --from lerobot outputs/train/my_act/checkpoints/last/pretrained_model ...

Into the policy's own folder go `policy.onnx`, the network without its normalisation, and `policy_goldens.json`,
observations and the chunks that LeRobot's processors and `predict_action_chunk` make of them, both in the units of the
policy's data set. The import turns these into golden vectors, so that they prove export, normalisation and engine at
once, against PyTorch.
"""

import argparse
import json
import warnings
from pathlib import Path

import torch
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors
from safetensors import safe_open
from torch import nn

OPSET = 17
GOLDENS = 4
STATISTICS = ("mean", "std", "min", "max", "q01", "q99")


class Network(nn.Module):
    """ACT with its inputs side by side, as ONNX names them, and the first steps of its chunk."""

    def __init__(self, model, inputs, steps):
        super().__init__()
        self.model, self.inputs, self.steps = model, inputs, steps

    def forward(self, *values):
        return self.model(dict(zip(self.inputs, values)))[0][:, : self.steps]


def export(folder: Path, steps: int | None, seed: int):
    policy = ACTPolicy.from_pretrained(folder).to("cpu").eval()
    config = policy.config
    cameras = list(config.image_features)
    if cameras:
        raise SystemExit(
            f"{folder / 'config.json'}: input_features.{cameras[0]}: camera inputs are not supported yet; train a policy on "
            "observation.state and observation.environment_state"
        )
    steps = min(steps or config.chunk_size, config.chunk_size)
    inputs = list(config.input_features)
    example = tuple(torch.zeros(1, *config.input_features[name].shape) for name in inputs)
    network = Network(policy.model, inputs, steps).eval()
    onnx = folder / "policy.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, about sizes that are constant here
        # Without Dynamo: that one needs one more package, and its graph is the same.
        torch.onnx.export(network, example, onnx, input_names=inputs, output_names=["action"], opset_version=OPSET, dynamo=False)

    before, after = processors(folder, config)
    torch.manual_seed(seed)
    goldens = []
    for _ in range(GOLDENS):
        observation = {name: draw(before, name, config.input_features[name].shape) for name in inputs}
        chunk = policy.predict_action_chunk(before(dict(observation)))
        action = after(chunk[:, :steps])[0]
        goldens.append(
            {
                "observation": {name: value.tolist() for name, value in observation.items()},
                "action": action.tolist(),
            }
        )
    told = {"made_with": f"lerobot {version('lerobot')}, torch {torch.__version__}", "seed": seed, "goldens": goldens}
    (folder / "policy_goldens.json").write_text(json.dumps(told, indent=1) + "\n")
    print(f"{onnx}: {onnx.stat().st_size / 1e6:.1f} MB, {steps} steps; policy_goldens.json: {GOLDENS} goldens")


def processors(folder, config):
    """The checkpoint's own; of one from before LeRobot had processors, made of the statistics among its weights."""
    overrides = {"device_processor": {"device": "cpu"}}
    if (folder / "policy_preprocessor.json").exists():
        return make_pre_post_processors(
            config, pretrained_path=str(folder), preprocessor_overrides=overrides, postprocessor_overrides=overrides
        )
    config.device = "cpu"
    return make_pre_post_processors(config, dataset_stats=statistics_among_weights(folder))


def statistics_among_weights(folder):
    stats = {}
    with safe_open(folder / "model.safetensors", "pt") as file:
        for key in file.keys():
            head, _, rest = key.partition(".buffer_")
            if head in ("normalize_inputs", "unnormalize_outputs"):
                name, _, statistic = rest.rpartition(".")
                stats.setdefault(name.replace("observation_", "observation.", 1), {})[statistic] = file.get_tensor(key)
    return stats


def draw(before, name, shape):
    """An observation like those of the data set: within its first and last percent, or near its mean."""
    stats = next(step for step in before.steps if hasattr(step, "norm_map"))._tensor_stats.get(name, {})
    low, high = (stats.get(key, stats.get(other)) for key, other in (("q01", "min"), ("q99", "max")))
    if low is not None and high is not None:
        return low + (high - low) * torch.rand(shape)
    return stats.get("mean", torch.zeros(shape)) + stats.get("std", torch.ones(shape)) * torch.randn(shape).clamp(-2, 2)


def version(package):
    from importlib.metadata import version as of

    return of(package)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, help="with config.json and model.safetensors")
    arguments.add_argument("--steps", type=int, help="keep only the first steps of a chunk: a head has at most 64")
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    export(arguments.folder, arguments.steps, arguments.seed)
