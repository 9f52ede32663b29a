"""The four skills: what their heads are told, what their episodes are, and when one has succeeded."""

from dataclasses import dataclass

import numpy as np

from .grasp import MOUTH_M, Grasp
from .kinematics import OPENING_MAX_M, reach, tool_positions
from .layout import Layout
from .motion import SAFE_RISE_M, Around, Over
from .safety import COMMAND_MAX, COMMAND_MIN
from .world import Contacts, Servos

HOME = np.array([0.0, 0.75, -0.70, 0.0, 0.75, 0.0, OPENING_MAX_M])  # key `home` of the scene
PATCH_M = np.array([[0.20, 0.50], [-0.20, 0.20]])
ROUND_M = np.array([[0.25, 0.45], [-0.20, 0.20]])  # where what is circled lies: the circle has to be in reach too
TARGET_Z_M = (0.0, 0.06)
CIRCLE_M = (0.03, 0.10)
BERRY_M, BALL_M = (0.015, 0.021), (0.019, 0.025)  # radii in training
MARGIN_M = 0.03  # training reaches this far over the patch's edge
TARGET_ERROR_M = 0.01


@dataclass
class Conditions:
    """Of an evaluation; training draws its own."""

    starts: str = "home"  # or "anywhere"
    noise: bool = False
    late_ticks: int = 0  # how long after its observation a chunk comes
    told: bool = False  # whether the head is told, and the chunk begins at the take-over
    friction: tuple = (1.0, 1.0)
    mass: tuple = (1.0, 1.0)
    target_error_m: float = 0.0


@dataclass
class Episodes:
    """`count` of them, side by side."""

    world: object
    start: np.ndarray  # commands (n, 7)
    decision: np.ndarray  # (n, params)
    judge: object


class Judge:
    """`within` for so many ticks on end; `ruled_out` for good."""

    def __init__(self, hold_ticks, within, ruled_out=None):
        self.hold_ticks, self.within, self.ruled_out = hold_ticks, within, ruled_out
        self.held, self.done, self.out = 0, False, False

    def see(self, measured, thing_m):
        tool_m = tool_positions(measured[:, :6])
        if self.ruled_out is not None:
            self.out = self.out | (self.ruled_out(tool_m, thing_m) & ~np.asarray(self.done))
        self.held = np.where(self.within(tool_m, thing_m), self.held + 1, 0)
        self.done = self.done | ((self.held >= self.hold_ticks) & ~self.out)


class Laps:
    """Three laps from the first touch of the circle, with an RMS radius error under a centimetre."""

    def __init__(self, circle):
        count = len(circle.radius_m)
        self.circle = circle
        self.angle, self.turned = np.full(count, np.nan), np.zeros(count)
        self.squares, self.ticks, self.done, self.out = np.zeros(count), np.zeros(count), np.zeros(count, bool), False

    def see(self, measured, _thing_m):
        offset = tool_positions(measured[:, :6]) - self.circle.centre_m
        error = np.hypot(offset[:, 0], offset[:, 1]) - self.circle.radius_m
        angle = np.arctan2(offset[:, 1], offset[:, 0])
        counting = ~np.isnan(self.angle) | ((np.abs(error) < 0.01) & (np.abs(offset[:, 2]) < 0.02))
        step = np.nan_to_num((angle - self.angle + np.pi) % (2 * np.pi) - np.pi)
        self.turned += np.where(self.done, 0.0, step)
        self.angle = np.where(counting, angle, np.nan)
        self.squares += np.where(counting, error**2, 0.0)
        self.ticks += counting
        good = np.sqrt(self.squares / np.maximum(self.ticks, 1)) < 0.01
        self.done = self.done | ((self.turned >= 6 * np.pi) & good)


@dataclass(frozen=True)
class Skill:
    name: str
    layout: Layout
    teacher: object
    train_ticks: int
    evaluate_ticks: int
    graspable: bool
    effort: float  # share of the batches that a pick-up is worth
    says: str  # what its decision's numbers are

    def training(self, rng, count):
        """Varied in everything that an evaluation may vary, and a little more."""
        speed = np.where(rng.uniform(size=count) < 0.5, 1.0, rng.uniform(0.5, 1.0, count))
        start = starts_anywhere(rng, count)
        near = rng.uniform(0.0, 1.0, (count, 1)) < 0.5
        error = rng.uniform(-1.0, 1.0, (count, 2)) * np.where(near, 0.003, 0.012)
        friction, mass = ((0.4, 2.2), (0.4, 2.2)) if self.graspable else ((1, 1), (1, 1))
        return self._episodes(rng, start, speed, error, MARGIN_M, BERRY_M, BALL_M, friction, mass, vary=True)

    def evaluation(self, rng, count, conditions):
        start = (starts_at_home if conditions.starts == "home" else starts_anywhere)(rng, count)
        error = rng.uniform(-1.0, 1.0, (count, 2)) * conditions.target_error_m
        speed = np.ones(count) if self.graspable else rng.uniform(0.5, 1.0, count)
        exact = (0.018, 0.018), (0.022, 0.022)
        return self._episodes(rng, start, speed, error, 0.0, *exact, conditions.friction, conditions.mass, vary=False)

    def _episodes(self, rng, start, speed, error, margin_m, berry_m, ball_m, friction, mass, vary):
        count = len(start)
        if not self.graspable:
            return self._moves(rng, start, speed, error, margin_m)
        berry = rng.uniform(size=count) < (1.0 if self.teacher.to_mouth else 0.5)
        radius = np.where(berry, rng.uniform(*berry_m, count), rng.uniform(*ball_m, count))
        world = Contacts(rng, radius, friction, mass, servos=vary)
        world.reset(start, scattered(rng, count, PATCH_M, margin_m))
        target = world.thing_m() + np.column_stack([error, rng.uniform(-0.003, 0.003, count) * vary])
        # Some reach for what is not there, and must notice and open again.
        gone = (rng.uniform(size=count) < 0.05) & vary
        target[gone, :2] = scattered(rng, gone.sum(), PATCH_M, 0.0)
        told_radius = radius + rng.uniform(-0.001, 0.001, count) * vary
        decision = np.column_stack([target, told_radius, speed, berry])[:, : len(self.layout.params)]
        rest_m = world.thing_m()[:, 2].copy()
        if self.teacher.to_mouth:
            high = np.zeros(count)

            def dropped(_tool, thing):
                nonlocal high
                high = np.maximum(high, thing[:, 2] - rest_m)
                return (high > 0.05) & (thing[:, 2] - rest_m < 0.5 * high)

            judge = Judge(10, lambda _tool, thing: np.linalg.norm(thing - MOUTH_M, axis=1) < 0.03, dropped)
        else:
            judge = Judge(20, lambda _tool, thing: thing[:, 2] >= rest_m + 0.08)
        return Episodes(world, start, decision, judge)

    def _moves(self, rng, start, speed, error, margin_m):
        count = len(start)
        around = isinstance(self.teacher, Around)
        where = scattered(rng, count, ROUND_M if around else PATCH_M, margin_m if not around else 0.02 * (margin_m > 0))
        target = np.column_stack([where + error, rng.uniform(*TARGET_Z_M, count)])
        if around:
            decision = np.column_stack([target, rng.uniform(*CIRCLE_M, count), speed])
            judge = Laps(self.teacher.goal(decision))
        else:
            decision = np.column_stack([target, speed])
            goal_m = target + [0.0, 0.0, SAFE_RISE_M]
            judge = Judge(10, lambda tool, _thing: np.linalg.norm(tool - goal_m, axis=1) < 0.01)
        world = Servos(rng, count)
        world.reset(start)
        return Episodes(world, start, decision, judge)


_TARGET = ("target_x", "target_y", "target_z")
_THING = "The thing's centre in the base frame and its radius, m; speed 0.5..1"
_PLACE = "The thing's centre in the base frame, m: the tool goes 0.12 m above it; speed 0.5..1."
_AXIS = "Centre and radius of the circle, m: flown 0.12 m above it, counter-clockwise at 2 rad/s times the speed, 0.5..1."
_GRASPED = (*_TARGET, "radius", "speed_hint")
SKILLS = {
    skill.name: skill
    for skill in (
        Skill("pick_up", Layout((*_GRASPED, "object_is_berry")), Grasp(), 140, 240, True, 1.0, f"{_THING}; 1 for a berry."),
        Skill("find_and_eat_berry", Layout(_GRASPED), Grasp(to_mouth=True), 180, 300, True, 1.0, f"{_THING}."),
        Skill("walk_to", Layout((*_TARGET, "speed_hint")), Over(), 90, 160, False, 1.0, _PLACE),
        Skill("run_around", Layout((*_TARGET, "radius", "speed_hint")), Around(), 160, 600, False, 0.6, _AXIS),
    )
}


def scattered(rng, count, patch_m, margin_m):
    return rng.uniform(patch_m[:, 0] - margin_m, patch_m[:, 1] + margin_m, (count, 2))


def starts_at_home(rng, count):
    command = np.tile(HOME, (count, 1))
    command[:, :6] += rng.uniform(-0.05, 0.05, (count, 6))
    return command


def starts_anywhere(rng, count):
    """Half near home; the rest where a hold, a stop or an earlier run may have left the arm."""
    command = starts_at_home(rng, count)
    kind = rng.uniform(size=count)
    near = (kind > 0.50) & (kind < 0.75)
    command[near, :6] += rng.uniform(-0.30, 0.30, (near.sum(), 6))
    far = kind >= 0.75
    tool = np.stack([rng.uniform(0.18, 0.48, count), rng.uniform(-0.25, 0.25, count), rng.uniform(0.09, 0.24, count)], 1)
    arm = reach(tool, rng.uniform(np.radians(25.0), np.radians(50.0), count)) + rng.uniform(-0.15, 0.15, (count, 6))
    far &= np.isfinite(arm).all(axis=1)
    command[far, :6] = arm[far]
    some = rng.uniform(size=count) < 0.25
    command[some, 6] = rng.uniform(0.0, OPENING_MAX_M, some.sum())
    return np.clip(command, COMMAND_MIN + 1e-3, COMMAND_MAX)
