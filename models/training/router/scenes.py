"""Robots among berries and other things: what the head is told of them, in 42 numbers, none of which names a task.

A scene is a posture that a robot may be in while it works, and things where they may lie. Tools are where the kinematics
say; a head sees measured joints, the tools and what a detector tells, never the simulator's state.
"""

from dataclasses import dataclass

import mujoco
import numpy as np

from piper_skills.kinematics import ARM_MAX_RAD, ARM_MIN_RAD, OPENING_MAX_M, reach, tool_positions
from piper_skills.paths import REPOSITORY

SLOTS, SLOT_SIZE, BODY_SIZE = 4, 6, 18
STATE_SIZE = BODY_SIZE + SLOTS * SLOT_SIZE
BERRIES, OTHERS = 0, 2  # the slots of the nearest berry and of the nearest other thing
COUNTS_BERRIES, COUNTS_OTHERS = (0.04, 0.66, 0.2, 0.1), (0.06, 0.44, 0.26, 0.14, 0.1)


@dataclass(frozen=True)
class Robot:
    """What the two robots' heads have of their own."""

    name: str
    body: callable  # (rng, n) -> (n, 18) numbers, (n, 3) where its hand is
    berry: callable  # (rng, hands) -> (n, 4): x, y, z, radius
    other: callable
    circle_m: float  # the radius of a run around something
    speeds: dict  # skill: (usual, slow, fast)


def states(robot, rng, count):
    """(count, 42): the body, then four slots of [present, x, y, z, radius, is_berry], in m and in the base frame."""
    body, hands = robot.body(rng, count)
    slots = np.zeros((count, SLOTS, SLOT_SIZE))
    for first, counts, drawn, is_berry in (
        (BERRIES, COUNTS_BERRIES, robot.berry, 1.0),
        (OTHERS, COUNTS_OTHERS, robot.other, 0.0),
    ):
        there = rng.choice(len(counts), size=count, p=counts)
        things = np.stack([drawn(rng, hands) for _ in range(len(counts) - 1)], axis=1)
        far = np.linalg.norm(things[:, :, :3] - hands[:, None], axis=2)
        far[np.arange(len(counts) - 1)[None] >= there[:, None]] = np.inf
        nearest = np.argsort(far, axis=1)
        for slot in range(2):
            rows = np.flatnonzero(there > slot)
            slots[rows, first + slot, 0] = 1.0
            slots[rows, first + slot, 1:5] = things[rows, nearest[rows, slot]]
            slots[rows, first + slot, 5] = is_berry
    return np.concatenate([body, slots.reshape(count, -1)], axis=1)


# Fire Boy. Figures of the world: models/scenes/fireboy_body.xml, fireboy_berry.toml.

FIREBOY_JOINTS = ("root_x", "root_y", "root_z", "root_yaw", "finger_R_a", "finger_R_b", "finger_L_a", "finger_L_b", "neck_yaw")
FIREBOY_SITES = ("right_hand_site", "left_hand_site", "mouth_site")


def _fireboy_body(rng, count):
    model = mujoco.MjModel.from_xml_path(str(REPOSITORY / "models" / "scenes" / "fireboy_berry.xml"))
    data = mujoco.MjData(model)
    joints = [each for each in range(model.njnt) if model.jnt_type[each] != mujoco.mjtJoint.mjJNT_FREE]
    names = [model.joint(each).name for each in joints]
    low, high = model.jnt_range[joints].T
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    # Near home, or anywhere within six tenths of the ranges.
    near = rng.normal(0.0, 0.1, (count, len(joints)))
    wide = middle + 0.6 * half * rng.uniform(-1.0, 1.0, near.shape)
    q = np.where(rng.random((count, 1)) < 0.5, near, wide)
    at = names.index
    start, everywhere = rng.random((2, count)) < [[0.5], [0.2]]
    for name, reach_m in (("root_x", 2.3), ("root_y", 1.9)):
        about = np.where(everywhere, rng.uniform(-reach_m, reach_m, count), rng.uniform(-1.0, 1.0, count))
        q[:, at(name)] = np.where(start, rng.normal(0.0, 0.06, count), about)
    q[:, at("root_z")] = np.where(rng.random(count) < 0.8, rng.normal(0.02, 0.015, count), rng.uniform(0.0, 0.2, count))
    q[:, at("root_yaw")] = np.where(rng.random(count) < 0.5, rng.normal(0.0, 0.15, count), rng.uniform(-np.pi, np.pi, count))
    for hand in "RL":  # open, closed, or on the way; one finger as the other
        opening = rng.choice([0.055, 0.06, 0.012, 0.025], count) + rng.normal(0.0, 0.002, count)
        opening = np.where(rng.random(count) < 0.3, rng.uniform(0.01, 0.06, count), opening)
        for finger in "ab":
            q[:, at(f"finger_{hand}_{finger}")] = opening + rng.normal(0.0, 0.001, count)
    q = np.clip(q, low, high)
    sites = [model.site(name).id for name in FIREBOY_SITES]
    addresses = model.jnt_qposadr[joints]
    tools = np.empty((count, len(sites), 3))
    for row in range(count):
        data.qpos[addresses] = q[row]
        mujoco.mj_kinematics(model, data)
        tools[row] = data.site_xpos[sites]
    seen = q[:, [at(name) for name in FIREBOY_JOINTS]]
    return np.concatenate([seen[:, :4], tools.reshape(count, 9), seen[:, 4:]], axis=1), tools[:, 0]


def _fireboy_berry(rng, hands):
    count = len(hands)
    there = [0.4, -0.1, 0.295] + rng.uniform(-1.0, 1.0, (count, 3)) * [0.04, 0.045, 0.004]
    held = hands + rng.normal(0.0, 0.004, (count, 3))
    held[:, 2] = np.maximum(held[:, 2], 0.29)
    anywhere = rng.uniform([-1.8, -1.6, 0.03], [1.8, 1.6, 0.55], (count, 3))
    radius = _chosen(rng, [0.6, 0.15, 0.25], np.full(count, 0.055), np.full(count, 0.03), rng.uniform(0.02, 0.08, count))
    return np.column_stack([_chosen(rng, [0.5, 0.2, 0.3], there, held, anywhere), radius])


def _fireboy_other(rng, hands):
    count = len(hands)
    angle, far = rng.uniform(-0.8, 0.8, count), rng.uniform(0.32, 0.56, count)
    ahead = np.column_stack([far * np.cos(angle), far * np.sin(angle), np.abs(rng.normal(0.0, 0.01, count))])
    around = rng.uniform([-0.8, -0.8, 0.0], [0.8, 0.8, 0.3], (count, 3))
    anywhere = rng.uniform([-2.1, -1.8, 0.0], [2.1, 1.8, 0.9], (count, 3))
    radius = _chosen(rng, [0.4, 0.6], rng.uniform(0.0, 0.1, count), rng.uniform(0.03, 0.3, count))
    return np.column_stack([_chosen(rng, [0.5, 0.25, 0.25], ahead, around, anywhere), radius])


# The Piper. Figures of the world: models/scenes/piper_berry.toml.


def _piper_body(rng, count):
    over = np.column_stack([rng.uniform(0.18, 0.52, count), rng.uniform(-0.24, 0.24, count), rng.uniform(0.01, 0.3, count)])
    with np.errstate(invalid="ignore"):
        at_work = reach(over, rng.uniform(0.0, 1.0, count))
    home = np.array([0.0, 1.5, -1.2, 0.0, 0.5, 0.0]) + rng.normal(0.0, 0.3, (count, 6))
    anyhow = (ARM_MIN_RAD + ARM_MAX_RAD) / 2.0 + 0.35 * (ARM_MAX_RAD - ARM_MIN_RAD) * rng.uniform(-1.0, 1.0, (count, 6))
    q = _chosen(rng, [0.6, 0.25, 0.15], np.where(np.isnan(at_work), home, at_work), home, anyhow)
    q = np.clip(q + rng.normal(0.0, 0.01, q.shape), ARM_MIN_RAD, ARM_MAX_RAD)
    opening = rng.choice([0.07, 0.036, 0.0], count) + rng.normal(0.0, 0.003, count)
    opening = np.clip(np.where(rng.random(count) < 0.4, rng.uniform(0.0, 0.07, count), opening), 0.0, OPENING_MAX_M)
    told = np.clip(np.where(rng.random(count) < 0.6, opening, rng.uniform(0.0, 0.07, count)), 0.0, OPENING_MAX_M)
    speed = np.where(rng.random((count, 1)) < 0.5, 0.02, 0.5) * rng.normal(0.0, 1.0, (count, 7)) * ([1.0] * 6 + [0.06])
    tools = tool_positions(q)
    return np.concatenate([q, opening[:, None], speed, tools, told[:, None]], axis=1), tools


def _piper_berry(rng, hands):
    count = len(hands)
    radius = np.where(rng.random(count) < 0.6, 0.018, rng.uniform(0.012, 0.028, count))
    lying = np.column_stack([rng.uniform(0.19, 0.51, count), rng.uniform(-0.21, 0.21, count), radius])
    held = hands + rng.normal(0.0, 0.006, (count, 3))
    about = np.column_stack([rng.uniform(-0.16, 0.6, count), rng.uniform(-0.36, 0.36, count), radius + rng.uniform(0.0, 0.3, count)])
    return np.column_stack([_chosen(rng, [0.8, 0.1, 0.1], lying, held, about), radius])


def _piper_other(rng, hands):
    count = len(hands)
    radius = np.where(rng.random(count) < 0.6, rng.choice([0.022, 0.015, 0.026, 0.02], count), rng.uniform(0.01, 0.06, count))
    height = rng.uniform(0.5, 1.0, count) * radius
    lying = np.column_stack([rng.uniform(0.17, 0.53, count), rng.uniform(-0.23, 0.23, count), height])
    parked = np.column_stack([rng.uniform(-0.16, -0.1, count), rng.uniform(-0.38, 0.3, count), height])
    about = np.column_stack([rng.uniform(-0.3, 0.6, count), rng.uniform(-0.4, 0.4, count), rng.uniform(0.0, 0.3, count)])
    return np.column_stack([_chosen(rng, [0.75, 0.12, 0.13], lying, parked, about), radius])


def _chosen(rng, shares, *options):
    """Row by row one of the options, in these shares."""
    of = rng.choice(len(shares), size=len(options[0]), p=shares)
    return np.stack(options)[of, np.arange(len(of))]


ROBOTS = {
    "fireboy": Robot(
        "fireboy", _fireboy_body, _fireboy_berry, _fireboy_other, 0.55,
        {"walk_to": (0.55, 0.3, 0.9), "run_around": (1.0, 0.6, 1.0), "pick_up": (0.25, 0.15, 0.5), "find_and_eat_berry": (0.25, 0.15, 0.5)},
    ),
    # Its speeds are within its registry's bounds.
    "piper": Robot(
        "piper", _piper_body, _piper_berry, _piper_other, 0.06,
        {"walk_to": (0.55, 0.3, 0.9), "run_around": (1.0, 0.6, 1.0), "pick_up": (0.75, 0.5, 1.0), "find_and_eat_berry": (0.75, 0.5, 1.0)},
    ),
}
