"""What a head believes of the berry and of its own progress, from measured joints and the decision: never from the
simulator. These are the rules that a manifest's `[object]` and `[[stages]]` say to the daemon, evaluated at each ask.
"""

from dataclasses import dataclass, field

import numpy as np

from . import body

STAGES = ("approach", "reach_above", "descend", "close", "lift", "mouth", "run_loop", "walk_to")
NEVER, ALWAYS = -np.inf, np.inf


@dataclass(frozen=True)
class When:
    """A bound of a measure; `below` and `at_least` as in the manifest."""

    of: str
    below: float = ALWAYS
    at_least: float = NEVER

    def holds(self, measures):
        value = measures[self.of]
        return (value < self.below) & (value >= self.at_least)


@dataclass(frozen=True)
class Stage:
    name: str
    when: tuple = ()
    stay: tuple = ()  # looser bounds that suffice to stay


@dataclass(frozen=True)
class Grip:
    """When the right hand is believed to hold the berry."""

    closed_m: float  # both fingers below it
    reach_m: float  # and the berry as near as that
    lowest_m: float = 0.0  # carried no lower
    eaten_m: float = 0.14  # from the mouth


_REACH = (
    Stage("approach"),
    Stage("reach_above", (When("distance_xy", below=0.20),)),
    Stage("descend", (When("distance_xy", below=0.06),)),
    Stage("close", (When("distance_xy", below=0.04), When("distance", below=0.06))),
)
_LIFT = Stage("lift", (When("grasped", at_least=1),))
_MOUTH = Stage("mouth", (When("grasped", at_least=1), When("object_z", at_least=0.40)), (When("grasped", at_least=1),))
PICK, EAT = (*_REACH, _LIFT), (*_REACH, _LIFT, _MOUTH)


@dataclass
class Belief:
    target_m: np.ndarray  # (n, 3), as the decision says
    grip: Grip
    stages: tuple
    object_m: np.ndarray = field(init=False)

    def __post_init__(self):
        count = len(self.target_m)
        self.object_m = self.target_m.copy()
        self.grasped, self.eaten = np.zeros(count, bool), np.zeros(count, bool)
        self.stage = np.zeros(count, int)  # index into `stages`

    def update(self, positions, tools, who=None):
        """Of those who ask now."""
        who = np.ones(len(positions), bool) if who is None else who
        grip, hand, mouth = self.grip, tools[:, 0], tools[:, 2]
        fingers = positions[:, body.FINGERS["R"]]
        closed = (fingers < grip.closed_m).all(1)
        near = np.linalg.norm(hand - self.object_m, axis=1) < grip.reach_m
        grasped = closed & (self.grasped | near)
        let_go = self.grasped & ~grasped
        where = np.where(grasped[:, None], hand, self.object_m)
        where[:, 2] = np.where(grasped, np.maximum(hand[:, 2], grip.lowest_m), where[:, 2])
        where[:, 2] = np.where(let_go, self.target_m[:, 2], where[:, 2])
        self.object_m = np.where(who[:, None], where, self.object_m)
        self.grasped = np.where(who, grasped, self.grasped)
        near_mouth = np.linalg.norm(self.object_m - mouth, axis=1) < grip.eaten_m
        self.eaten = self.eaten | (who & near_mouth)

        to = self.object_m - hand
        measures = {
            "distance_xy": np.linalg.norm(to[:, :2], axis=1),
            "distance": np.linalg.norm(to, axis=1),
            "grasped": self.grasped.astype(float),
            "object_z": self.object_m[:, 2],
        }
        stage = np.zeros(len(positions), int)
        for index, each in enumerate(self.stages):
            holds = np.ones(len(positions), bool)
            for bound in each.when:
                holds &= bound.holds(measures)
            if each.stay:
                stays = self.stage == index
                for bound in each.stay:
                    stays &= bound.holds(measures)
                holds |= stays
            stage = np.where(holds, index, stage)
        self.stage = np.where(who, stage, self.stage)

    def one_hot(self):
        index = np.array([STAGES.index(each.name) for each in self.stages])
        return np.eye(len(STAGES))[index[self.stage]]

    def state(self, tools, task):
        """The published 27 numbers; the stopwatch's place stays 0."""
        count = len(tools)
        return np.concatenate(
            [
                tools[:, 0],
                tools[:, 1],
                self.object_m,
                tools[:, 2],
                np.tile(task, (count, 1)),
                self.one_hot(),
                np.zeros((count, 1)),
                self.grasped[:, None],
                self.eaten[:, None],
            ],
            axis=1,
        )
