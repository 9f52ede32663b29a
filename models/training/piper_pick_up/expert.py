"""The teacher: a feedback law, not a script.

The next set-point follows from the last one, its rate, and how far the gripper really is open. There is no
clock and no phase counter, so any state, also one that no script would visit, has a label, and a head that
asks again at every tick is taught to go on rather than to begin again.

All arrays are batches: one row an arm. A command is six joints in rad and the gripper's opening in m.
"""

from dataclasses import dataclass

import numpy as np

from .kinematics import OPENING_MAX_M, reach

TICK_S = 0.050
CHUNK_STEPS = 10

# Half of what the daemon's filter permits: the head may err by as much before it is clipped.
ARM_SPEED_RAD_S = 1.2
ARM_ACCEL_RAD_S2 = 3.0
ARM_BRAKE_RAD_S2 = 1.0  # gentler than ARM_ACCEL, so that braking needs no foresight
ARM_GAIN_HZ = 7.0  # last centimetre: a decay in place of a stop
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
SHUT_M = 0.012  # commanded on a berry of 0.036: the difference is the squeeze
HELD_M = 0.009  # measured above commanded by this, when shut: something is between the pads
OPEN_ENOUGH_M = 0.050  # before that, no descent


@dataclass
class Goal:
    above: np.ndarray  # (n, 6) rad; also where the berry is held up
    grasp: np.ndarray
    berry_m: np.ndarray  # (n,) diameter
    speed: np.ndarray  # (n,) 0.5..1

    @classmethod
    def over(cls, target_m, radius_m, speed):
        out = np.hypot(target_m[:, 0], target_m[:, 1])
        far = np.clip((out - TILT_FROM_M) / (TILT_TO_M - TILT_FROM_M), 0.0, 1.0)
        tilt = TILT_NEAR_RAD + far * (TILT_FAR_RAD - TILT_NEAR_RAD)
        grasp = target_m + [0.0, 0.0, GRASP_RISE_M]
        grasp[:, 2] = np.maximum(grasp[:, 2], GRASP_Z_MIN_M)
        above = grasp + [0.0, 0.0, ABOVE_RISE_M]
        return cls(reach(above, tilt), reach(grasp, tilt), 2.0 * radius_m, speed)


def step(command, rate, opening_m, goal):
    """The command and rate of the next tick."""
    arm, grip = command[:, :6], command[:, 6]
    line = goal.above - goal.grasp
    offset = arm - goal.grasp
    along = np.clip((offset * line).sum(1) / (line * line).sum(1), 0.0, 1.0)
    aside = _norm(offset - along[:, None] * line)
    away = _norm(offset)

    shut = grip < SHUT_M + 0.008
    held = shut & (opening_m > grip + HELD_M)
    opening = ~held & (shut | (rate[:, 6] > 0.005))
    committed = ~held & ~opening & (grip < OPENING_MAX_M - 0.006) & (away < COMMITTED_RAD)

    # Where to: down a funnel whose spout is the grasp, or up once the berry is held.
    ready = np.clip((grip - OPEN_ENOUGH_M) / 0.012, 0.0, 1.0)
    height = np.maximum(np.clip(aside / FUNNEL_RAD, 0.0, 1.0), 1.0 - ready)
    height = np.where(held, 1.0, np.where(committed, 0.0, height))
    to_go = goal.grasp + height[:, None] * line - arm
    distance = _norm(to_go)
    left = np.where(held, distance, np.maximum(distance, CORNER * away))
    speed = np.minimum(np.sqrt(2.0 * ARM_BRAKE_RAD_S2 * left), ARM_GAIN_HZ * distance)
    speed = np.minimum(speed, ARM_SPEED_RAD_S) * goal.speed
    speed = speed * np.where(held, np.clip((SHUT_M + 0.010 - grip) / 0.006, 0.0, 1.0), 1.0)
    arm_rate = to_go * (speed / np.maximum(distance, 1e-9))[:, None]

    close = np.clip((CLOSE_FROM_RAD - away) / (CLOSE_FROM_RAD - CLOSE_FULL_RAD), 0.0, 1.0)
    close = np.where(held | committed, 1.0, np.where(opening, 0.0, close))
    grip_rate = np.where(close > 0.0, close * _to(SHUT_M - grip), _to(OPENING_MAX_M - grip)) * goal.speed

    push = arm_rate - rate[:, :6]
    push *= np.minimum(1.0, ARM_ACCEL_RAD_S2 * TICK_S / np.maximum(_norm(push), 1e-9))[:, None]
    grip_push = np.clip(grip_rate - rate[:, 6], -GRIP_ACCEL_M_S2 * TICK_S, GRIP_ACCEL_M_S2 * TICK_S)
    rate = np.concatenate([rate[:, :6] + push, (rate[:, 6] + grip_push)[:, None]], axis=1)
    command = command + rate * TICK_S
    command[:, 6] = np.clip(command[:, 6], 0.0, OPENING_MAX_M)
    return command, rate


def chunk(command, rate, opening_m, goal):
    """The label of a state: the law run ahead, with a guess at what the gripper will meet. (n, steps, 7)."""
    steps = []
    for _ in range(CHUNK_STEPS):
        inside = (_norm(command[:, :6] - goal.grasp) < CLOSE_FROM_RAD) & (opening_m > goal.berry_m - 0.004)
        gripped = (command[:, 6] < SHUT_M + 0.008) & (opening_m > command[:, 6] + HELD_M)
        floor = np.where(gripped, opening_m, np.where(inside, goal.berry_m - 0.001, 0.0))
        command, rate = step(command, rate, opening_m, goal)
        follow = opening_m + 0.63 * (command[:, 6] - opening_m)
        opening_m = np.maximum(follow, np.minimum(floor, opening_m))
        steps.append(command)
    return np.stack(steps, axis=1)


def _norm(rows):
    return np.sqrt((rows * rows).sum(1))


def _to(distance_m):
    return np.clip(GRIP_GAIN_HZ * distance_m, -GRIP_SPEED_M_S, GRIP_SPEED_M_S)
