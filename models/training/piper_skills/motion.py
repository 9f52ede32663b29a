"""The teachers of `walk_to` and `run_around`: over a thing, and round it, at a safe height."""

from dataclasses import dataclass

import numpy as np

from .kinematics import reach, tool_positions
from .law import TICK_S, norm, speed_up, toward

SAFE_RISE_M = 0.12  # above the target: over a berry, a ball, and whatever else lies on this table
TILT_RAD = np.radians(40.0)  # reaches 0.13..0.63 m out at any height from 0.12 to 0.18 m

TURN_RAD_S = 2.0  # at speed_hint 1; counter-clockwise seen from above
RADIAL_GAIN_HZ = 5.0
RADIAL_SPEED_M_S, HEIGHT_SPEED_M_S = 0.25, 0.20
TURN_WITHIN_M = 0.05  # farther from the circle than this: straight to it, no turning
CENTRE_M = 0.02  # so near the axis "outward" means little: drift along x until it does
CIRCLE_ACCEL_RAD_S2 = 5.0
POSTURE_GAIN_HZ, POSTURE_RATE_RAD_S = 3.0, 0.8
OUT_M, RISE_M = (0.145, 0.60), (0.06, 0.21)  # where the inverse at TILT_RAD exists


class Over:
    """`walk_to`: goals are rows x, y, z, speed_hint."""

    def goal(self, decision):
        return reach(decision[:, :3] + [0.0, 0.0, SAFE_RISE_M], TILT_RAD), decision[:, 3]

    def step(self, command, rate, _opening_m, goal):
        pose, speed = goal
        to_go = pose - command[:, :6]
        arm_rate = speed_up(rate[:, :6], toward(to_go, norm(to_go), speed))
        return _move(command, arm_rate)

    def opening_after(self, command, opening_m, _goal):
        return opening_m


@dataclass
class Circle:
    centre_m: np.ndarray  # (n, 3), at the safe height
    radius_m: np.ndarray
    turn_rad_s: np.ndarray


class Around:
    """`run_around`: goals are rows x, y, z, radius, speed_hint."""

    def goal(self, decision):
        return Circle(decision[:, :3] + [0.0, 0.0, SAFE_RISE_M], decision[:, 3], TURN_RAD_S * decision[:, 4])

    def step(self, command, rate, _opening_m, goal):
        arm = command[:, :6]
        at = tool_positions(arm)
        posture = POSTURE_GAIN_HZ * (_reach(at) - arm)
        posture *= np.minimum(1.0, POSTURE_RATE_RAD_S / np.maximum(norm(posture), 1e-9))[:, None]
        wanted = (_reach(_next(at, goal)) - _reach(at)) / TICK_S + posture
        return _move(command, speed_up(rate[:, :6], wanted, CIRCLE_ACCEL_RAD_S2))

    def opening_after(self, command, opening_m, _goal):
        return opening_m


def _next(at, goal):
    """Where the tool should be a tick later. In polar coordinates: small straight steps would spiral out."""
    offset = at - goal.centre_m
    radius = np.hypot(offset[:, 0], offset[:, 1])
    error = goal.radius_m - radius
    turn = goal.turn_rad_s * np.clip(1.0 - np.abs(error) / TURN_WITHIN_M, 0.0, 1.0)
    known = np.clip(radius / CENTRE_M, 0.0, 1.0)
    outward = known * np.clip(RADIAL_GAIN_HZ * error, -RADIAL_SPEED_M_S, RADIAL_SPEED_M_S)
    angle = np.arctan2(offset[:, 1], offset[:, 0]) + turn * TICK_S
    radius = radius + outward * TICK_S
    x = radius * np.cos(angle) + (1.0 - known) * 0.1 * TICK_S
    rise = np.clip(RADIAL_GAIN_HZ * -offset[:, 2], -HEIGHT_SPEED_M_S, HEIGHT_SPEED_M_S)
    return goal.centre_m + np.stack([x, radius * np.sin(angle), offset[:, 2] + rise * TICK_S], axis=1)


def _reach(at):
    out = np.hypot(at[:, 0], at[:, 1])
    scale = np.clip(out, *OUT_M) / np.maximum(out, 1e-6)
    return reach(np.stack([at[:, 0] * scale, at[:, 1] * scale, np.clip(at[:, 2], *RISE_M)], axis=1), TILT_RAD)


def _move(command, arm_rate):
    """The gripper stays as it is: whoever carries something may walk."""
    rate = np.concatenate([arm_rate, np.zeros((len(command), 1))], axis=1)
    return command + rate * TICK_S, rate
