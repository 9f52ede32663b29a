"""Teachers of `walk_to` and `run_around`: where the body's root goes, and legs and arms that swing as it does.

The gait has no clock: its phase is read back from the legs themselves, and goes on as fast as the body travels.
"""

from dataclasses import dataclass

import numpy as np

from . import body
from .law import CHUNK_STEPS, PACES, approach, norm
from .safety import TICK_S

HEIGHT_M = 0.03
SPEED_M_S = 0.8  # times the decision's speed hint
HINTS = (0.3, 1.0)
ACCEL_M_S2, BRAKE_M_S2, GAIN_HZ = 1.6, 0.5, 3.0
YAW_GAIN_HZ, YAW_ACCEL_RAD_S2 = 2.5, 6.0
TURN_RAD = 1.2  # towards what lies beside it; what lies behind is walked to backwards
STRIDE_M = 0.45
HIP_RAD, KNEE_RAD, KNEE_REST_RAD, ARM_RAD, ELBOW_RAD, LIFTED_RAD = 0.45, 0.35, 0.15, 0.40, 0.50, 0.45
SWING_HZ = 4.0  # how fast a gait grows and fades
FULL_M_S = 0.35  # from here on legs swing fully
GATHER_HZ = 2.0  # a circle's radius is come back to so fast
HIP_R, KNEE_R, HIP_L, KNEE_L = 25, 26, 29, 30


def gait_of(legs):
    """Swing 0..1 and phase, out of where the legs are, (n, 32)."""
    sine = (legs[:, HIP_R] - legs[:, HIP_L]) / (2.0 * HIP_RAD)
    cosine = (legs[:, KNEE_R] - legs[:, KNEE_L]) / (2.0 * KNEE_RAD)
    return np.minimum(np.hypot(sine, cosine), 1.0), np.arctan2(sine, cosine + 1e-9)


def pose_of(goal, swing, phase):
    sine, cosine = swing * np.sin(phase), swing * np.cos(phase)
    goal[:, body.LEGS] = 0.0
    goal[:, HIP_R], goal[:, HIP_L] = HIP_RAD * sine, -HIP_RAD * sine
    goal[:, KNEE_R] = KNEE_REST_RAD + KNEE_RAD * (swing + cosine)
    goal[:, KNEE_L] = KNEE_REST_RAD + KNEE_RAD * (swing - cosine)
    goal[:, 9], goal[:, 17] = 0.2 - ARM_RAD * sine, 0.2 + ARM_RAD * sine  # shoulder pitch, right and left
    goal[:, 10], goal[:, 18] = -LIFTED_RAD, LIFTED_RAD  # shoulder roll: hands pass above the table
    goal[:, 11], goal[:, 19] = ELBOW_RAD * swing, ELBOW_RAD * swing
    goal[:, 4] = 0.08 * swing  # leans into it


class Moving:
    """Place and heading by a field of velocities; the rest follows the gait. `goal` is (n, params): a decision."""

    def wanted(self, place, goal):
        """Velocity m/s (n, 2) and heading rad (n,), and how much the heading matters 0..1 (n,)."""
        raise NotImplementedError

    def step(self, command, rate, goal):
        velocity, heading, matters = self.wanted(command[:, body.PLACE], goal)
        target = np.zeros_like(command)
        target[:, body.FINGERS["R"]] = target[:, body.FINGERS["L"]] = 0.055
        swing, phase = gait_of(command)
        speed = norm(rate[:, body.PLACE])
        phase = phase + 2.0 * np.pi * speed * TICK_S / STRIDE_M
        swing = swing + np.clip(np.minimum(1.0, speed / FULL_M_S) - swing, -SWING_HZ * TICK_S, SWING_HZ * TICK_S)
        pose_of(target, swing, phase)
        target[:, body.HEIGHT] = HEIGHT_M
        target[:, body.PLACE], target[:, body.YAW] = command[:, body.PLACE], command[:, body.YAW]
        following, rates = approach(command, rate, target, PACES)

        def speed_up(columns, wanted, accel):
            push = wanted - rate[:, columns]
            return rate[:, columns] + push * np.minimum(1.0, accel * TICK_S / np.maximum(norm(push), 1e-9))[:, None]

        turn = np.clip(YAW_GAIN_HZ * (heading - command[:, 3]), -1.5, 1.5) * matters
        rates[:, body.PLACE] = speed_up(body.PLACE, velocity, ACCEL_M_S2)
        rates[:, body.YAW] = speed_up(body.YAW, turn[:, None], YAW_ACCEL_RAD_S2)
        moving = np.concatenate([body.PLACE, body.YAW])
        following[:, moving] = command[:, moving] + rates[:, moving] * TICK_S
        return np.clip(following, body.LOW, body.HIGH), rates

    def chunk(self, command, rate, goal):
        steps = []
        for _ in range(CHUNK_STEPS):
            command, rate = self.step(command, rate, goal)
            steps.append(command)
        return np.stack(steps, axis=1)


@dataclass(frozen=True)
class To(Moving):
    """`goal`: target_x, target_y, speed_hint."""

    def wanted(self, place, goal):
        to_go = goal[:, :2] - place
        distance = norm(to_go)
        speed = np.minimum(np.sqrt(2.0 * BRAKE_M_S2 * distance), GAIN_HZ * distance)
        speed = np.minimum(speed, SPEED_M_S * np.clip(goal[:, 2], *HINTS))
        direction = to_go / np.maximum(distance, 1e-9)[:, None]
        return direction * speed[:, None], TURN_RAD * direction[:, 1], np.minimum(1.0, distance / 0.25)


@dataclass(frozen=True)
class Around(Moving):
    """`goal`: target_x, target_y, radius, speed_hint: counter-clockwise round the target. The heading sways with the
    way but never winds, since the root's yaw ends at half a turn."""

    def wanted(self, place, goal):
        out = place - goal[:, :2]
        distance = np.maximum(norm(out), 1e-6)
        out = out / distance[:, None]
        tangent = np.column_stack([-out[:, 1], out[:, 0]])
        off = distance - goal[:, 2]
        speed = SPEED_M_S * np.clip(goal[:, 3], *HINTS)
        back = np.clip(-GATHER_HZ * off, -speed, speed)
        along = np.sqrt(np.maximum(speed**2 - back**2, (0.2 * speed) ** 2))
        velocity = tangent * along[:, None] + out * back[:, None]
        # A circle bends inwards: aim that much inside of it.
        velocity -= out * (along**2 / np.maximum(distance, 0.2) * TICK_S * 0.5)[:, None]
        return velocity, TURN_RAD * velocity[:, 1] / np.maximum(norm(velocity), 1e-9), np.ones(len(place))
