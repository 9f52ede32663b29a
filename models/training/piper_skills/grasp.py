"""The teacher of `pick_up` and `find_and_eat_berry`: down a funnel, close, up, and on to the mouth."""

from dataclasses import dataclass

import numpy as np

from .kinematics import OPENING_MAX_M, reach, tool_positions
from .law import TICK_S, norm, speed_up, toward

GRIP_SPEED_M_S = 0.15
GRIP_ACCEL_M_S2 = 2.0
GRIP_GAIN_HZ = 8.0

TILT_NEAR_RAD, TILT_FAR_RAD = np.radians(25.0), np.radians(35.0)
TILT_FROM_M, TILT_TO_M = 0.35, 0.48  # straight down cannot be lifted, far out cannot be reached at 25 deg
GRASP_Z_MIN_M = 0.019  # the pads' lower edges touch the table near 0.014
GRASP_RISE_M = 0.001
ABOVE_RISE_M = 0.115

FUNNEL_RAD = 0.15  # sideways distance to the approach line at which the descent begins
CORNER = 0.4  # share of the way left that counts as straight: at 1 the turn into the descent overshoots
CLOSE_FROM_RAD, CLOSE_FULL_RAD = 0.035, 0.015  # distance to the grasp
COMMITTED_RAD = 0.10  # a closing gripper goes on closing within this
SHUT_M = 0.004  # commanded on a berry of 0.036: the difference is the squeeze
HELD_M = 0.009  # measured above commanded by this, when shut: something is between the pads
OPEN_ENOUGH_M = 0.050  # before that, no descent

MOUTH_M = np.array([0.20, 0.36, 0.28])  # site `mouth` of the scene
MOUTH_TILT_RAD = np.radians(70.0)  # fingers point at the face, not over it
CARRY_SPEED = 0.5  # share of the speed: jolts of a fast arm make the berry creep between the pads
CARRY_FROM_M, CARRY_FULL_M = 0.070, 0.115  # height of the tool between which a lift becomes a carry


@dataclass
class Goal:
    above: np.ndarray  # (n, 6) rad
    grasp: np.ndarray
    hold: np.ndarray  # where to when it is held
    berry_m: np.ndarray  # (n,) diameter
    speed: np.ndarray  # (n,) 0.5..1


class Grasp:
    """`to_mouth`: what is held goes to the mouth, else it is held up above where it lay."""

    def __init__(self, to_mouth=False):
        self.to_mouth = to_mouth

    def goal(self, decision):
        """Of rows x, y, z, radius, speed_hint, ..."""
        target_m = decision[:, :3]
        out = np.hypot(target_m[:, 0], target_m[:, 1])
        far = np.clip((out - TILT_FROM_M) / (TILT_TO_M - TILT_FROM_M), 0.0, 1.0)
        tilt = TILT_NEAR_RAD + far * (TILT_FAR_RAD - TILT_NEAR_RAD)
        grasp = target_m + [0.0, 0.0, GRASP_RISE_M]
        grasp[:, 2] = np.maximum(grasp[:, 2], GRASP_Z_MIN_M)
        above = reach(grasp + [0.0, 0.0, ABOVE_RISE_M], tilt)
        mouth = np.tile(reach(MOUTH_M, MOUTH_TILT_RAD), (len(decision), 1))
        return Goal(above, reach(grasp, tilt), mouth if self.to_mouth else above, 2.0 * decision[:, 3], decision[:, 4])

    def step(self, command, rate, opening_m, goal):
        """The command and rate of the next tick."""
        arm, grip = command[:, :6], command[:, 6]
        line = goal.above - goal.grasp
        offset = arm - goal.grasp
        along = np.clip((offset * line).sum(1) / (line * line).sum(1), 0.0, 1.0)
        aside = norm(offset - along[:, None] * line)
        away = norm(offset)

        shut = grip < SHUT_M + 0.008
        held = shut & (opening_m > grip + HELD_M)
        opening = ~held & (shut | (rate[:, 6] > 0.005))
        committed = ~held & ~opening & (grip < OPENING_MAX_M - 0.006) & (away < COMMITTED_RAD)

        # Where to: down a funnel whose spout is the grasp, or up once the berry is held.
        ready = np.clip((grip - OPEN_ENOUGH_M) / 0.012, 0.0, 1.0)
        height = np.maximum(np.clip(aside / FUNNEL_RAD, 0.0, 1.0), 1.0 - ready)
        height = np.where(held, 1.0, np.where(committed, 0.0, height))
        to_go = goal.grasp + height[:, None] * line - arm
        if self.to_mouth:
            carry = np.clip((tool_positions(arm)[:, 2] - CARRY_FROM_M) / (CARRY_FULL_M - CARRY_FROM_M), 0.0, 1.0)
            to_go += np.where(held, carry, 0.0)[:, None] * (goal.hold - goal.above)
        distance = norm(to_go)
        left = np.where(held, distance, np.maximum(distance, CORNER * away))
        tight = np.where(held, np.clip((SHUT_M + 0.010 - grip) / 0.006, 0.0, 1.0), 1.0)
        calm = np.where(held, CARRY_SPEED, 1.0) * goal.speed
        arm_rate = speed_up(rate[:, :6], toward(to_go, left, calm) * tight[:, None])

        close = np.clip((CLOSE_FROM_RAD - away) / (CLOSE_FROM_RAD - CLOSE_FULL_RAD), 0.0, 1.0)
        close = np.where(held | committed, 1.0, np.where(opening, 0.0, close))
        grip_rate = np.where(close > 0.0, close * _to(SHUT_M - grip), _to(OPENING_MAX_M - grip)) * goal.speed
        grip_push = np.clip(grip_rate - rate[:, 6], -GRIP_ACCEL_M_S2 * TICK_S, GRIP_ACCEL_M_S2 * TICK_S)
        rate = np.concatenate([arm_rate, (rate[:, 6] + grip_push)[:, None]], axis=1)
        command = command + rate * TICK_S
        command[:, 6] = np.clip(command[:, 6], 0.0, OPENING_MAX_M)
        return command, rate

    def opening_after(self, command, opening_m, goal):
        """A guess at what the gripper will meet: it closes no further than this."""
        inside = (norm(command[:, :6] - goal.grasp) < CLOSE_FROM_RAD) & (opening_m > goal.berry_m - 0.004)
        gripped = (command[:, 6] < SHUT_M + 0.008) & (opening_m > command[:, 6] + HELD_M)
        return np.where(gripped, opening_m, np.where(inside, goal.berry_m - 0.001, 0.0))


def _to(distance_m):
    return np.clip(GRIP_GAIN_HZ * distance_m, -GRIP_SPEED_M_S, GRIP_SPEED_M_S)
