"""What the head sees: 20 numbers in SI, in the order of the manifest's features.

Nothing here comes from the simulator's hidden state: the target is what the decision said.
"""

import numpy as np

from .expert import CHUNK_STEPS, Goal
from .safety import COMMAND_MAX, COMMAND_MIN

JOINTS = ["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "gripper"]
PARAMS = ["target_x", "target_y", "target_z", "radius", "speed_hint", "object_is_berry"]
MEASURED = slice(0, 7)
PREVIOUS = slice(7, 14)
DECISION = slice(14, 20)
SIZE = 20
CLIP = 5.0

# About the spread of the episodes, and wide enough that no admissible command is ever clipped.
JOINT_MEAN = np.array([0.0, 1.5, -1.2, 0.0, 0.5, 0.0, 0.040])
JOINT_STD = np.array([0.55, 0.45, 0.45, 0.40, 0.40, 0.45, 0.030])
DECISION_MEAN = np.array([0.35, 0.0, 0.018, 0.018, 0.85, 1.0])
DECISION_STD = np.array([0.12, 0.14, 0.010, 0.005, 0.25, 1.0])
MEAN = np.concatenate([JOINT_MEAN, JOINT_MEAN, DECISION_MEAN])
STD = np.concatenate([JOINT_STD, JOINT_STD, DECISION_STD])
assert (COMMAND_MIN > JOINT_MEAN - CLIP * JOINT_STD).all() and (COMMAND_MAX < JOINT_MEAN + CLIP * JOINT_STD).all()


def observe(measured, previous, decision):
    return np.concatenate([measured, previous, decision], axis=-1)


def normalise(observation):
    return np.clip((observation - MEAN) / STD, -CLIP, CLIP).astype(np.float32)


def commands(action):
    """The head's -1..1 as SI commands, (n, steps, 7)."""
    span = (COMMAND_MAX - COMMAND_MIN) / 2.0
    return COMMAND_MIN + span * (1.0 + action.reshape(-1, CHUNK_STEPS, 7).astype(float))


def goal_of(decision):
    return Goal.over(decision[:, 0:3].copy(), decision[:, 3], decision[:, 4])
