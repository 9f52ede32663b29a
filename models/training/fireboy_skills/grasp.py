"""Teachers of `pick_up` and `find_and_eat_berry`.

The body goes where the berry lies before its right hand, so that one posture of the arm grasps every berry. The arm goes
down as far as the body has come near: a funnel whose spout is the grasp. What is held is lifted, and eaten.
"""

from dataclasses import dataclass

import numpy as np

from . import body
from .law import CHUNK_STEPS, PACES, Pace, approach, norm

# Postures of the right arm, rad: hand level, its pads either side of a berry 22 mm below its middle; 150 mm above that;
# and at the mouth, the head turned to it. Straight lines between them are nearly upright lines of the hand.
REST = np.zeros(6)
ABOVE = np.array([0.958, -0.208, -1.313, 0.955, -0.483, 1.210])
GRASP = np.array([0.748, -0.588, -0.601, 0.943, -0.346, 0.458])
MOUTH = np.array([1.578, -0.290, -1.116, 0.568, -0.642, 1.089])
BEFORE_M = np.array([-0.150, 0.380])  # the body's place, from the berry
STANCE_M = body.BERRY_HOME_M[:2] + BEFORE_M  # where it stands with a berry in its hand
HEIGHT_M = 0.03
TRUNK = np.array([0.08, 0.0, -0.5, 0.25])  # leans a little, looks at what it does
KNEE = 0.25
OPEN_M, CLOSED_M = 0.058, 0.012

FUNNEL_M, SPOUT_M = 0.08, 0.02  # from the place: all up, all down
THERE_M, THERE_RAD = 0.012, 0.06  # then the fingers close
YAW_M_RAD = 0.4  # a wrong heading counts as so much way
STRIDE_M = 0.32
CARRYING = tuple(Pace(0.4, 0.8, 0.4) if at == 0 else Pace(1.2, 4.0, 2.0) if at == 4 else pace for at, pace in enumerate(PACES))


@dataclass(frozen=True)
class Grasp:
    closed_m: float  # as the belief's
    to_mouth: bool = False

    def goal(self, command, ball_m, grasped):
        """Where every joint is to go, (n, 32); and whether the hand is where it grasps."""
        goal = np.zeros_like(command)
        place = np.where(grasped[:, None], STANCE_M, ball_m[:, :2] + BEFORE_M)
        way = norm(command[:, body.PLACE] - place)
        off = way + YAW_M_RAD * np.abs(command[:, 3])
        arm = command[:, body.ARM["R"]]
        along, beside = _on_line(arm, GRASP, ABOVE)
        down = np.clip((FUNNEL_M - off) / (FUNNEL_M - SPOUT_M), 0.0, 1.0) * np.clip((0.6 - beside) / 0.3, 0.0, 1.0)
        down = np.where(grasped, 0.0, down)[:, None]
        arm_goal = ABOVE + down * (GRASP - ABOVE)
        if self.to_mouth:
            up = np.clip((along - 0.6) / 0.3, 0.0, 1.0)
            up = np.where(beside > 0.6, 1.0, up)
            arm_goal = np.where(grasped[:, None], ABOVE + up[:, None] * (MOUTH - ABOVE), arm_goal)
        there = (off < THERE_M) & (norm(arm - GRASP) < THERE_RAD)
        goal[:, body.PLACE] = place
        goal[:, body.HEIGHT] = HEIGHT_M
        goal[:, body.TRUNK] = TRUNK
        goal[:, body.ARM["R"]] = arm_goal
        goal[:, body.FINGERS["R"]] = np.where(grasped | there, CLOSED_M, OPEN_M)[:, None]
        goal[:, body.FINGERS["L"]] = 0.055
        goal[:, body.LEGS] = steps(way)
        return goal, there

    def step(self, command, rate, ball_m, grasped):
        goal, there = self.goal(command, ball_m, grasped)
        fast = approach(command, rate, goal)
        slow = approach(command, rate, goal, CARRYING)
        pick = lambda a, b: np.where(grasped[:, None], a, b)
        return pick(slow[0], fast[0]), pick(slow[1], fast[1]), there

    def chunk(self, command, rate, fingers_m, belief):
        """The label of a state: the law run ahead, (n, CHUNK_STEPS, 32)."""
        grasped, ball_m = belief.grasped.copy(), belief.object_m
        steps_ahead = []
        for _ in range(CHUNK_STEPS):
            before = command
            command, rate, there = self.step(command, rate, ball_m, grasped)
            fingers_m = fingers_m + 0.8 * (before[:, body.FINGERS["R"]] - fingers_m)
            grasped = grasped | (there & (fingers_m < self.closed_m).all(1))
            steps_ahead.append(command)
        return np.stack(steps_ahead, axis=1)


def steps(way_m):
    """Legs that stride as the way grows less, (n, 8): where the body is tells where the feet are."""
    reach = 0.3 * np.minimum(1.0, way_m / 0.15)
    phase = 2.0 * np.pi * way_m / STRIDE_M
    legs = np.zeros((len(way_m), 8))
    legs[:, 1], legs[:, 5] = reach * np.sin(phase), -reach * np.sin(phase)
    legs[:, 2], legs[:, 6] = KNEE + 0.5 * reach * (1 + np.cos(phase)), KNEE + 0.5 * reach * (1 - np.cos(phase))
    return legs


def _on_line(at, start, end):
    """How far along from start to end, 0..1, and how far beside it, rad."""
    way = end - start
    along = np.clip((at - start) @ way / (way @ way), 0.0, 1.0)
    return along, norm(at - start - along[:, None] * way)
