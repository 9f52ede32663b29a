"""What all teachers share: a tick, a chunk, and how a joint-space motion speeds up and brakes.

A teacher is a feedback law: the next set-point follows from the last one, its rate, how far the gripper really is
open, and the goal. There is no clock and no phase counter, so any state, also one that no script would visit, has a
label, and a head that asks again at every tick is taught to go on rather than to begin again.

All arrays are batches: one row an arm. A command is six joints in rad and the gripper's opening in m.
"""

import numpy as np

TICK_S = 0.050
# A chunk that comes 4 ticks late and is executed for 8 still has some to spare for the next one.
CHUNK_STEPS = 16

# Half of what the daemon's filter permits: the head may err by as much before it is clipped.
ARM_SPEED_RAD_S = 1.2
ARM_ACCEL_RAD_S2 = 4.0
ARM_BRAKE_RAD_S2 = 1.0  # gentler than ARM_ACCEL, so that braking needs no foresight
ARM_GAIN_HZ = 7.0  # last centimetre: a decay in place of a stop


def norm(rows):
    return np.sqrt((rows * rows).sum(1))


def toward(to_go, left, speed):
    """The arm's rate along `to_go` (n, 6), braking for a stop that is `left` (n,) rad of way ahead."""
    distance = norm(to_go)
    rate = np.minimum(np.sqrt(2.0 * ARM_BRAKE_RAD_S2 * left), ARM_GAIN_HZ * distance)
    rate = np.minimum(rate, ARM_SPEED_RAD_S) * speed
    return to_go * (rate / np.maximum(distance, 1e-9))[:, None]


def speed_up(rate, wanted, accel_rad_s2=ARM_ACCEL_RAD_S2):
    """From a rate as far towards the wanted one as a tick of acceleration allows."""
    push = wanted - rate
    return rate + push * np.minimum(1.0, accel_rad_s2 * TICK_S / np.maximum(norm(push), 1e-9))[:, None]


def chunk(teacher, command, rate, opening_m, goal):
    """The label of a state: the law run ahead. (n, CHUNK_STEPS, 7)."""
    steps = []
    for _ in range(CHUNK_STEPS):
        expected_m = teacher.opening_after(command, opening_m, goal)
        command, rate = teacher.step(command, rate, opening_m, goal)
        follow = opening_m + 0.63 * (command[:, 6] - opening_m)
        opening_m = np.maximum(follow, np.minimum(expected_m, opening_m))
        steps.append(command)
    return np.stack(steps, axis=1)
