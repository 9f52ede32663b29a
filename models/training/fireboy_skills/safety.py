"""The daemon's last filter, in small: what a head's wish becomes before it reaches a motor. One row a robot."""

import numpy as np

from .body import ACCEL_MAX, HIGH, JERK_MAX, LOW, SPEED_MAX

TICK_S = 0.050


class Filter:
    """Differences of consecutive commands stay within speed, acceleration and jerk."""

    def __init__(self, command):
        self.command = command.copy()
        self.rate = np.zeros_like(command)
        self.accel = np.zeros_like(command)

    def admit(self, wish):
        rate = np.clip((np.clip(wish, LOW, HIGH) - self.command) / TICK_S, -SPEED_MAX, SPEED_MAX)
        accel = (rate - self.rate) / TICK_S
        accel = np.clip(accel, self.accel - JERK_MAX * TICK_S, self.accel + JERK_MAX * TICK_S)
        accel = np.clip(accel, -ACCEL_MAX, ACCEL_MAX)
        rate = np.clip(self.rate + accel * TICK_S, -SPEED_MAX, SPEED_MAX)
        command = np.clip(self.command + rate * TICK_S, LOW, HIGH)
        rate = (command - self.command) / TICK_S
        self.accel = (rate - self.rate) / TICK_S
        self.rate = rate
        self.command = command
        return command
