#!/usr/bin/env python3
"""Writes tests/data/lerobot_act: a tiny ACT policy, saved by LeRobot's own code, that the tests import without PyTorch.

    .venv-import/bin/python models/training/import/make_tiny_act.py tests/data/lerobot_act
    .venv-import/bin/python models/training/import/export_lerobot_act.py tests/data/lerobot_act

It has learnt for a few seconds to move joints a little towards a target; what it does is of no use, that its numbers
are like those of a real one is.
"""

import sys
from pathlib import Path

import torch
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors

JOINTS, TARGET, CHUNK, SAMPLES, STEPS = 7, 3, 10, 2048, 400


def samples():
    """States in degrees, the gripper in percent; targets in m; chunks that go towards a place that follows from both."""
    state = torch.rand(SAMPLES, JOINTS) * torch.tensor([90.0] * 6 + [100.0]) - torch.tensor([45.0] * 6 + [0.0])
    target = torch.rand(SAMPLES, TARGET) * torch.tensor([0.3, 0.4, 0.05]) + torch.tensor([0.2, -0.2, 0.0])
    mix = torch.randn(TARGET, JOINTS)
    goal = ((target - target.mean(0)) / target.std(0)) @ mix * 8.0
    share = torch.linspace(0.1, 0.6, CHUNK)[None, :, None]
    return state, target, state[:, None] * (1 - share) + goal[:, None] * share


def stats(values):
    flat = values.reshape(-1, values.shape[-1])
    return {
        "mean": flat.mean(0),
        "std": flat.std(0),
        "min": flat.min(0).values,
        "max": flat.max(0).values,
        "q01": flat.quantile(0.01, 0),
        "q99": flat.quantile(0.99, 0),
    }


def main(folder):
    torch.manual_seed(20)
    torch.set_num_threads(1)
    state, target, action = samples()
    config = ACTConfig(
        input_features={
            "observation.state": PolicyFeature(FeatureType.STATE, (JOINTS,)),
            "observation.environment_state": PolicyFeature(FeatureType.ENV, (TARGET,)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (JOINTS,))},
        normalization_mapping={"STATE": "MEAN_STD", "ENV": "MIN_MAX", "ACTION": "MEAN_STD"},
        chunk_size=CHUNK,
        n_action_steps=8,
        dim_model=16,
        n_heads=2,
        dim_feedforward=32,
        n_encoder_layers=1,
        n_vae_encoder_layers=1,
        latent_dim=4,
        dropout=0.0,
        device="cpu",
        push_to_hub=False,
    )
    policy = ACTPolicy(config)
    dataset = {"observation.state": stats(state), "observation.environment_state": stats(target), "action": stats(action)}
    before, after = make_pre_post_processors(config, dataset_stats=dataset)
    optimizer = torch.optim.AdamW(policy.parameters(), 3e-3)
    policy.train()
    for _ in range(STEPS):
        rows = torch.randint(SAMPLES, (64,))
        batch = before(
            {"observation.state": state[rows], "observation.environment_state": target[rows], "action": action[rows]}
        )
        batch["action_is_pad"] = torch.zeros(64, CHUNK, dtype=torch.bool)
        loss, _ = policy.forward(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.3f}")
    policy.save_pretrained(folder)
    before.save_pretrained(folder)
    after.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
