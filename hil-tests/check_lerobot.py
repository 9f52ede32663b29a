"""Loads rollouts with the lerobot package, and compares every frame with the rows that stand beside them.

    make check-lerobot
    python hil-tests/check_lerobot.py FOLDER     a folder that `reflexd rollouts --format both` wrote
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset, LeRobotDatasetMetadata
from PIL import Image

# A channel of a picture may be decoded by another JPEG decoder than the film's: one level of rounding, or two.
LEVELS_MAX = 3


def backend() -> str:
    """torchcodec is lerobot's first choice, but wants the system's FFmpeg; PyAV brings its own."""
    if importlib.util.find_spec("torchcodec"):
        try:
            importlib.import_module("torchcodec.decoders")
            return "torchcodec"
        except RuntimeError:
            pass
    return "pyav"


def main(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    root = folder / "lerobot"
    meta = LeRobotDatasetMetadata("local/rollouts", root=root)
    data = LeRobotDataset("local/rollouts", root=root, video_backend=backend())
    camera = meta.video_keys[0]
    assert data.num_frames == len(data) == summary["frames"], (data.num_frames, summary["frames"])
    assert data.num_episodes == summary["kept"]
    assert set(meta.tasks.index) == set(summary["instructions"]), meta.tasks
    print(f"{data.num_episodes} episodes, {data.num_frames} frames at {data.fps} Hz, decoded by {data.video_backend}")

    episodes = [
        [json.loads(line) for line in file.read_text().splitlines()]
        for file in sorted((folder / "vla/episodes").glob("*.jsonl"))
    ]
    assert len(episodes) == data.num_episodes
    rows = [row for episode in episodes for row in episode]
    lengths = [len(episode) for episode in episodes]
    assert [int(meta.episodes[k]["length"]) for k in range(len(lengths))] == lengths
    joints = len(meta.names["observation.state"])
    starved, worst = 0, 0
    for index, row in enumerate(rows):
        item = data[index]
        assert item["observation.state"].dtype == torch.float32 and item[camera].shape[0] == 3
        position = np.array(row["qpos"][-joints:])
        assert np.allclose(item["observation.state"].numpy(), position, atol=1e-6), index
        assert item["task"] == row["instruction"], (item["task"], row["instruction"])
        assert abs(float(item["timestamp"]) - row["time_s"]) < 1e-6
        assert bool(item["starved"]) == row["starved"]
        starved += row["starved"]
        # The frame that lerobot seeks by its time is the picture that was taken in this tick.
        seen = (item[camera].permute(1, 2, 0).numpy() * 255).round().astype(int)
        taken = np.asarray(Image.open(folder / "vla" / row["image_path"]).convert("RGB")).astype(int)
        worst = max(worst, int(np.percentile(np.abs(seen - taken), 99.9)))
    assert worst <= LEVELS_MAX, f"a film's frame is another picture: {worst} levels off"
    assert starved == summary["starved"] > 0, (starved, summary["starved"])
    print(f"every frame is the picture of its tick ({worst} of 255 levels off); {starved} ticks are marked as starved")

    states = np.stack([np.array(row["qpos"][-joints:]) for row in rows])
    told = meta.stats["observation.state"]
    assert np.allclose(told["mean"], states.mean(axis=0), atol=1e-5)
    assert np.allclose(told["std"], states.std(axis=0), atol=1e-5)
    assert np.allclose(told["max"], states.max(axis=0), atol=1e-6)
    print("its statistics are those of its rows")

    # As a policy is trained: a window of actions, batches, shuffled.
    chunk = [k / data.fps for k in range(10)]
    windows = LeRobotDataset(
        "local/rollouts", root=root, delta_timestamps={"action": chunk}, video_backend=backend()
    )
    loader = torch.utils.data.DataLoader(windows, batch_size=8, shuffle=True)
    batch = next(iter(loader))
    assert batch["action"].shape == (8, 10, joints) and batch[camera].shape[:2] == (8, 3)
    only = LeRobotDataset("local/rollouts", root=root, episodes=[1], video_backend=backend())
    assert only.num_frames == lengths[1]
    print(f"a batch: action {tuple(batch['action'].shape)}, {camera} {tuple(batch[camera].shape)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
