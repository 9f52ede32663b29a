"""What all teachers share: how a set-point speeds up, travels and brakes.

A teacher is a feedback law from the last set-point, its rate and what is believed of the world to the next set-point. It
has no clock and no phase counter: any state has an answer. The body's springs have no dampers, so rates change gently.

All arrays are batches: one row a robot, one column a joint, in the order of `body.JOINTS`; SI.
"""

from dataclasses import dataclass

import numpy as np

from . import body
from .safety import TICK_S

CHUNK_STEPS = 10


@dataclass(frozen=True)
class Pace:
    """Of a group of joints that move together along a straight line: m or rad, a second."""

    speed: float
    accel: float
    brake: float
    gain_hz: float = 5.0  # at the end: a decay in place of a stop


PACES = (
    Pace(0.60, 1.2, 0.6),  # place
    Pace(0.15, 0.5, 0.3),  # height
    Pace(1.2, 3.0, 1.5),  # yaw
    Pace(1.0, 3.0, 1.5),  # trunk
    Pace(2.4, 8.0, 4.0),  # right arm
    Pace(0.20, 4.0, 2.0, 8.0),  # its fingers
    Pace(1.5, 6.0, 3.0),
    Pace(0.20, 4.0, 2.0, 8.0),
    Pace(4.0, 40.0, 20.0, 8.0),  # legs
)


def norm(rows):
    return np.sqrt((rows * rows).sum(-1))


def approach(command, rate, goal, paces=PACES):
    """One tick of every group from `command` towards `goal`: command and rate, (n, 32) each."""
    command, rate = command.copy(), rate.copy()
    for group, pace in zip(body.GROUPS, paces):
        to_go = goal[:, group] - command[:, group]
        distance = norm(to_go)
        wanted = np.minimum(np.minimum(np.sqrt(2.0 * pace.brake * distance), pace.gain_hz * distance), pace.speed)
        push = to_go * (wanted / np.maximum(distance, 1e-9))[:, None] - rate[:, group]
        rate[:, group] += push * np.minimum(1.0, pace.accel * TICK_S / np.maximum(norm(push), 1e-9))[:, None]
        command[:, group] += rate[:, group] * TICK_S
    return np.clip(command, body.LOW, body.HIGH), rate
