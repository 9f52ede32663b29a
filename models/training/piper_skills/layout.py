"""What a head sees, in SI, in the order of the manifest's features.

Nothing here comes from the simulator's hidden state: the target is what the decision said.

The answer begins at the take-over, `delay` ticks after the observation. So the set-point just before it is told
(`prefix`), and with it where the answer has to begin; the measurement is as old as the delay. How fast the arm is then,
the head reads from the difference of the two. A second row would tell it exactly, and was tried: heads that know their
rate to a decimal copy it, and stall wherever they once came to rest.
"""

from dataclasses import dataclass

import numpy as np

from .safety import COMMAND_MAX, COMMAND_MIN

JOINTS = ["joint1", "joint2", "joint3", "joint4", "joint5", "joint6", "gripper"]
MEASURED = slice(0, 7)
LAST = slice(7, 14)
DELAY = slice(14, 15)
DECISION_FROM = 15
BASE = slice(14, 21)  # of a correction: the set-point due, in the place of the delay
CLIP = 5.0
DELAY_MAX_TICKS = 8

# About the spread of the episodes, and wide enough that no admissible command is ever clipped.
JOINT_MEAN = np.array([0.0, 1.5, -1.2, 0.0, 0.5, 0.0, 0.040])
JOINT_STD = np.array([0.55, 0.45, 0.45, 0.40, 0.40, 0.45, 0.030])
DELAY_MEAN, DELAY_STD = 2.0, 2.5
PARAM_SPREAD = {
    "target_x": (0.35, 0.12),
    "target_y": (0.0, 0.14),
    "target_z": (0.02, 0.02),
    "radius": (0.03, 0.02),
    "speed_hint": (0.85, 0.25),
    "object_is_berry": (0.5, 0.5),
}
assert (COMMAND_MIN > JOINT_MEAN - CLIP * JOINT_STD).all() and (COMMAND_MAX < JOINT_MEAN + CLIP * JOINT_STD).all()


@dataclass(frozen=True)
class Layout:
    params: tuple  # of the decision, in order
    # Rows of joints that a head is to compare to a decimal: their differences are handed to it scaled up.
    compared: tuple = ((LAST, MEASURED),)
    middle: tuple = ((DELAY_MEAN,), (DELAY_STD,))  # mean and std of what stands between the set-point and the decision

    @property
    def size(self):
        return len(self.mean)

    @property
    def mean(self):
        return np.concatenate([JOINT_MEAN, JOINT_MEAN, self.middle[0], [PARAM_SPREAD[p][0] for p in self.params]])

    @property
    def std(self):
        return np.concatenate([JOINT_STD, JOINT_STD, self.middle[1], [PARAM_SPREAD[p][1] for p in self.params]])

    def normalise(self, observation):
        return np.clip((observation - self.mean) / self.std, -CLIP, CLIP).astype(np.float32)


def observe(measured, last, delay_ticks, decision):
    return np.concatenate([measured, last, np.asarray(delay_ticks, float)[:, None], decision], axis=-1)


def commands(action):
    """A head's -1..1 as SI commands, (n, steps, 7)."""
    span = (COMMAND_MAX - COMMAND_MIN) / 2.0
    return COMMAND_MIN + span * (1.0 + action.reshape(len(action), -1, 7).astype(float))
