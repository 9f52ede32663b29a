"""What is right: the parameters of the decision, from what was said and what is there."""

import numpy as np

from .phrases import SKILLS
from .scenes import BERRIES, BODY_SIZE, OTHERS, SLOT_SIZE, SLOTS

PARAMS = ("target_x", "target_y", "target_z", "radius", "speed_hint", "object_is_berry")
UNITS = ("m", "m", "m", "m", "1", "1")
# The kind of thing that is meant when none is named. If there is none of that kind, but of the other, that one.
UNNAMED = {"walk_to": "other", "run_around": "other", "pick_up": "berry", "find_and_eat_berry": "berry"}


def meaning(said):
    """(skill, kind, whether it was named, pace) as integers, for many sentences: (n, 4)."""
    rows = []
    for each in said:
        kind = each.about or UNNAMED[each.skill]
        pace = (None, "slow", "fast").index(each.pace)
        rows.append([SKILLS.index(each.skill), kind == "other", each.about is not None, pace])
    return np.array(rows, int)


def params(robot, meant, states):
    """(n, 6), in the units of `UNITS`. What is not there has the target 0, 0, 0 and the radius 0: an empty slot's."""
    skill, other, named, pace = meant.T
    slots = states[:, BODY_SIZE:].reshape(-1, SLOTS, SLOT_SIZE)
    wanted = np.where(other == 1, OTHERS, BERRIES)
    else_ = np.where(other == 1, BERRIES, OTHERS)
    rows = np.arange(len(slots))
    missing = slots[rows, wanted, 0] == 0.0
    slot = slots[rows, np.where((named == 0) & missing, else_, wanted)]
    radius = np.where(skill == SKILLS.index("run_around"), robot.circle_m, slot[:, 4])
    speeds = np.array([robot.speeds[name] for name in SKILLS])
    return np.column_stack([slot[:, 1:4], radius, speeds[skill, pace], slot[:, 5]])
