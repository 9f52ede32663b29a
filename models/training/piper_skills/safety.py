"""The daemon's last filter, in small: what a head's wish becomes before it reaches a motor.

Training sees its own commands come back filtered, as the deployed head will.
"""

import numpy as np

from .law import TICK_S
from .kinematics import ARM_MAX_RAD, ARM_MIN_RAD, OPENING_MAX_M

SPEED_MAX = np.array([3.0] * 6 + [0.3])  # rad/s; m/s
ACCEL_MAX = np.array([8.0] * 6 + [4.0])
JERK_MAX = np.array([200.0] * 6 + [160.0])
COMMAND_MIN = np.append(ARM_MIN_RAD, 0.0)
COMMAND_MAX = np.append(ARM_MAX_RAD, OPENING_MAX_M)


class Filter:
    """Differences of consecutive commands stay within speed, acceleration and jerk. One row an arm."""

    def __init__(self, command):
        self.command = command.copy()
        self.rate = np.zeros_like(command)
        self.accel = np.zeros_like(command)

    def admit(self, wish):
        rate = np.clip((np.clip(wish, COMMAND_MIN, COMMAND_MAX) - self.command) / TICK_S, -SPEED_MAX, SPEED_MAX)
        accel = (rate - self.rate) / TICK_S
        accel = np.clip(accel, self.accel - JERK_MAX * TICK_S, self.accel + JERK_MAX * TICK_S)
        accel = np.clip(accel, -ACCEL_MAX, ACCEL_MAX)
        rate = np.clip(self.rate + accel * TICK_S, -SPEED_MAX, SPEED_MAX)
        command = np.clip(self.command + rate * TICK_S, COMMAND_MIN, COMMAND_MAX)
        rate = (command - self.command) / TICK_S
        self.accel = (rate - self.rate) / TICK_S
        self.rate = rate
        self.command = command
        return command
