"""The skills: what their heads are told, what their episodes are, and when one has succeeded."""

from dataclasses import dataclass, field

import numpy as np

from . import belief, body
from .grasp import ABOVE, BEFORE_M, GRASP, MOUTH, REST, TRUNK, Grasp
from .walk import Around, To, pose_of
from .world import World

TABLE_M = np.array([[0.31, 0.49], [-0.17, -0.03]])  # where berries lie in training: all of the table's top
PATCH_M = np.array([[0.37, 0.43], [-0.135, -0.065]])  # and in an evaluation
_SLIDES = np.isin(np.arange(32), np.concatenate([body.PLACE, body.HEIGHT]))
_FINGERS = np.isin(np.arange(32), np.concatenate([body.FINGERS["R"], body.FINGERS["L"]]))
POSITION_NOISE = np.where(_FINGERS, 0.0005, 0.002)  # m, rad
RATE_NOISE = np.where(_FINGERS | _SLIDES, 0.015, 0.04)  # m/s, rad/s
START_SPREAD = 0.02
NOT_FINGERS = np.flatnonzero(~_FINGERS)


@dataclass
class Conditions:
    """Of an evaluation; training draws its own."""

    noise: bool = False
    late_ticks: int = 0
    friction: tuple = (1.0, 1.0)
    mass: tuple = (1.0, 1.0)
    target_error_m: float = 0.0
    push_n: float = 0.0
    start: str = "home"  # or "anywhere"
    scene: str = ""  # the skill's own


@dataclass
class Episodes:
    """`count` of them, side by side."""

    skill: object
    world: World
    start: np.ndarray  # commands (n, 32)
    goal: np.ndarray  # what the decision says
    believed: belief.Belief | None
    done: np.ndarray = field(init=False)

    def __post_init__(self):
        self.done = np.zeros(len(self.start), bool)
        self.held = np.zeros(len(self.start), int)
        self.turned, self.angle = np.zeros(len(self.start)), None

    def observe(self, positions, rates, who=None):
        return self.skill.observe(self, positions, rates, who)

    def label(self, command, rate, positions):
        return self.skill.label(self, command, rate, positions)

    def judge(self):
        """By where things really are."""
        good = self.skill.judge(self)
        self.held = np.where(good, self.held + 1, 0)
        self.done |= self.held >= self.skill.hold_ticks


def starts(rng, count, near=START_SPREAD):
    at = np.tile(body.HOME, (count, 1))
    at[:, NOT_FINGERS] += rng.uniform(-near, near, (count, len(NOT_FINGERS)))
    return np.clip(at, body.LOW, body.HIGH)


def within(rng, count, patch_m):
    return rng.uniform(patch_m[:, 0], patch_m[:, 1], (count, 2))


def _walked(rng, start):
    """Legs and left arm as a walk leaves them when it is stopped."""
    pose = np.zeros_like(start)
    pose_of(pose, rng.uniform(0.0, 1.0, len(start)) * (rng.uniform(size=len(start)) < 0.6), rng.uniform(-np.pi, np.pi, len(start)))
    of_walk = np.concatenate([body.LEGS, body.ARM["L"]])
    start[:, of_walk] = pose[:, of_walk]
    return start


@dataclass(frozen=True)
class Handling:
    """A residual head on the published 27 numbers and an instruction."""

    name: str
    skill: str
    scenes: tuple  # the first is what it is evaluated in
    task: tuple
    teacher: Grasp
    grip: belief.Grip
    stages: tuple
    train_ticks: int
    evaluate_ticks: int
    hold_ticks: int
    words: bool = True

    def draw(self, rng, count, conditions=None, scene=""):
        if conditions is None:
            world = World(scene or self.scenes[0], count, rng, vary=0.15, friction=(0.5, 2.0), mass=(0.5, 2.0))
            start, patch, error = self.anywhere(rng, count), TABLE_M, 0.012
            usual = rng.uniform(size=count) < 0.4
            berry = np.where(usual[:, None], within(rng, count, PATCH_M), within(rng, count, patch))
        else:
            world = World(conditions.scene or self.scenes[0], count, rng, friction=conditions.friction, mass=conditions.mass)
            start = starts(rng, count) if conditions.start == "home" else self.anywhere(rng, count)
            berry, error = within(rng, count, PATCH_M), conditions.target_error_m
        berry = np.column_stack([berry, np.full(count, body.BERRY_HOME_M[2])])
        world.reset(start, berry)
        told = berry.copy()
        told[:, :2] += rng.uniform(-error, error, (count, 2))
        return Episodes(self, world, start, told, belief.Belief(told, self.grip, self.stages))

    def anywhere(self, rng, count):
        """Half near home; the rest where a walk, a stop or an earlier run may have left the body."""
        start = starts(rng, count, 0.05)
        kind = rng.uniform(size=count)
        far = (kind > 0.5) & (kind < 0.75)
        start[far, 0] = rng.uniform(-0.9, 0.3, far.sum())
        start[far, 1] = rng.uniform(-0.4, 0.8, far.sum())
        start[far, 3] = rng.uniform(-1.2, 1.2, far.sum())
        near = kind >= 0.75
        place = within(rng, count, TABLE_M) + BEFORE_M + rng.normal(0.0, 0.06, (count, 2))
        start[near, :2] = place[near]
        start[near, 3] = rng.normal(0.0, 0.1, near.sum())
        some = kind > 0.6
        ends = np.array([REST, ABOVE, GRASP, MOUTH])
        share = rng.dirichlet([0.5] * 4, count)
        arm = share @ ends + rng.normal(0.0, 0.1, (count, 6))
        low = arm @ (ABOVE - GRASP) < 0.6 * ABOVE @ (ABOVE - GRASP)  # a hand that low may stand in the table
        arm[low] = ABOVE + rng.normal(0.0, 0.1, (low.sum(), 6))
        start[np.ix_(some, body.ARM["R"])] = arm[some]
        start[np.ix_(some, body.TRUNK)] = TRUNK * rng.uniform(0.0, 1.2, (some.sum(), 1)) + rng.normal(0.0, 0.05, (some.sum(), 4))
        walked = rng.uniform(size=count) < 0.25
        start[walked] = _walked(rng, start[walked])
        shut = rng.uniform(size=count) < 0.1
        start[np.ix_(shut, body.FINGERS["R"])] = rng.uniform(0.012, 0.055, (shut.sum(), 1))
        return np.clip(start, body.LOW, body.HIGH)

    def std_floor(self):
        """A number that hardly varied here may vary elsewhere: m, then flags."""
        return np.array([0.03] * 12 + [1.0] * 4 + [0.3] * 8 + [1.0] + [0.3] * 2)

    def observe(self, episodes, positions, _rates, who):
        tools = body.tools(positions)
        episodes.believed.update(positions, tools, who)
        return episodes.believed.state(tools, self.task)

    def label(self, episodes, command, rate, positions):
        return self.teacher.chunk(command, rate, positions[:, body.FINGERS["R"]], episodes.believed)

    def judge(self, episodes):
        world = episodes.world
        berry = world.berry_m()
        if self.teacher.to_mouth:
            mouth = body.tools(world.measured())[:, 2]
            return np.linalg.norm(berry - mouth, axis=1) < 0.14
        held = world.held if world.rule is not None else True
        return held & (berry[:, 2] > 0.36)


GAIT = np.array([25, 26, 29, 30])  # hips' pitch and knees
ROOT = np.array([0, 1, 3])


@dataclass(frozen=True)
class Travelling:
    """A plain head: the root, its speed, the legs, where the target lies from it, and what the decision says besides."""

    name: str
    skill: str
    teacher: object
    params: tuple  # of the decision after target_x, target_y
    train_ticks: int
    evaluate_ticks: int
    hold_ticks: int
    scenes: tuple = ("fireboy_berry",)
    words: bool = False
    measures: tuple = ("dx", "dy", "distance_xy", "sin_bearing", "cos_bearing")

    @property
    def around(self):
        return isinstance(self.teacher, Around)

    def draw(self, rng, count, conditions=None, scene=""):
        wide = conditions is None or conditions.start == "anywhere"
        usual = rng.uniform(size=count) < (0.3 if wide else 2.0)
        start = starts(rng, count, 0.05 if wide else START_SPREAD)
        far = ~usual & (rng.uniform(size=count) < 0.7)
        start[far, :2] = rng.uniform([-1.6, -1.3], [1.6, 1.3], (far.sum(), 2))
        start[far, 3] = rng.uniform(-1.4, 1.4, far.sum())
        some = ~usual & (rng.uniform(size=count) < 0.3)
        arm = np.array([REST, ABOVE, MOUTH])[rng.integers(0, 3, count)]
        start[np.ix_(some, body.ARM["R"])] = arm[some]
        start[np.ix_(some, body.TRUNK)] = TRUNK
        world = World(scene or self.scenes[0], count, rng, vary=0.15 if conditions is None else 0.0)
        world.reset(start, np.tile(body.BERRY_HOME_M, (count, 1)))
        if self.around:
            centre = np.where(usual[:, None], rng.uniform([0.0, -0.3], [0.4, 0.3], (count, 2)), rng.uniform(-0.9, 0.9, (count, 2)))
            radius = np.where(usual, rng.uniform(0.35, 0.55, count), rng.uniform(0.25, 0.75, count))
            told = [centre, radius[:, None]]
        else:
            angle, distance = rng.uniform(-0.75, 0.75, count), rng.uniform(0.34, 0.54, count)
            near = np.column_stack([distance * np.cos(angle), distance * np.sin(angle)])
            told = [np.where(usual[:, None], near, rng.uniform([-1.9, -1.6], [1.9, 1.6], (count, 2)))]
        hint = rng.uniform(0.5 if self.around and not wide else 0.3, 1.0, count)
        if not wide and not self.around:
            hint[:] = rng.uniform(0.3, 0.9, count)
        goal = np.column_stack([*told, hint])
        error = conditions.target_error_m if conditions else 0.0
        episodes = Episodes(self, world, np.clip(start, body.LOW, body.HIGH), goal, None)
        episodes.true_goal = goal.copy()
        goal[:, :2] += rng.uniform(-error, error, (count, 2))
        return episodes

    def std_floor(self):
        return np.full(3 + 4 + 3 + len(self.measures) + len(self.params), 0.05)

    def observe(self, episodes, positions, rates, _who):
        to = episodes.goal[:, :2] - positions[:, :2]
        distance = np.linalg.norm(to, axis=1)
        unit = to / np.maximum(distance, 1e-9)[:, None]
        return np.column_stack(
            [positions[:, ROOT], positions[:, GAIT], rates[:, ROOT], to, distance, unit[:, 1], unit[:, 0], episodes.goal[:, 2:]]
        )

    def label(self, episodes, command, rate, _positions):
        return self.teacher.chunk(command, rate, episodes.goal)

    def judge(self, episodes):
        place = episodes.world.measured()[:, :2]
        goal = episodes.true_goal
        out = place - goal[:, :2]
        if not self.around:
            return np.linalg.norm(out, axis=1) < 0.08
        angle = np.arctan2(out[:, 1], out[:, 0])
        counting = np.abs(np.linalg.norm(out, axis=1) - goal[:, 2]) < 0.15
        before = angle if episodes.angle is None else episodes.angle
        step = np.nan_to_num((angle - before + np.pi) % (2 * np.pi) - np.pi)
        episodes.turned = np.where(counting, episodes.turned + step, 0.0)
        episodes.angle = angle
        return np.abs(episodes.turned) >= 4 * np.pi


# The rule of fireboy_berry.xml takes hold below 32 mm; at 48 mm the pads touch the berry of fireboy_contact.xml. Fingers
# on their way shut pass both, so the wider one does for either world.
_GRIP = belief.Grip(closed_m=0.048, reach_m=0.07)
_BOTH = ("fireboy_berry", "fireboy_contact")
PICK_TASK, EAT_TASK = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0)
SKILLS = {
    skill.name: skill
    for skill in (
        Handling("fireboy_pick_up", "pick_up", _BOTH, PICK_TASK, Grasp(0.048), _GRIP, belief.PICK, 110, 240, 10),
        Handling(
            "fireboy_find_and_eat_berry", "find_and_eat_berry", _BOTH, EAT_TASK,
            Grasp(0.048, to_mouth=True), _GRIP, belief.EAT, 130, 300, 1,
        ),
        Travelling("fireboy_walk_to", "walk_to", To(), ("speed_hint",), 120, 240, 10),
        Travelling("fireboy_run_around", "run_around", Around(), ("radius", "speed_hint"), 200, 600, 1),
    )
}
