"""Many copies of the scene, stepped together one tick at a time."""

import mujoco
import numpy as np
from mujoco import rollout

from .expert import TICK_S
from .paths import SCENE

THREADS = 2
LIFTED_M = 0.08
HELD_TICKS = 20  # 1 s


class World:
    """`vary` draws each copy's berry and servos anew; without it every copy is the shipped scene."""

    def __init__(self, copies, rng=None, vary=False):
        self.models = [mujoco.MjModel.from_xml_path(str(SCENE)) for _ in range(copies if vary else 1)]
        model = self.model = self.models[0]
        if vary:
            for each in self.models:
                _vary(each, rng)
        else:
            self.models *= copies
        self.substeps = round(TICK_S / model.opt.timestep)
        self.radius_m = np.array([each.geom("berry").size[0] for each in self.models])
        self.berry = model.joint("berry").qposadr[0]
        self.data = [mujoco.MjData(model) for _ in range(THREADS)]
        self.pool = rollout.Rollout(nthread=THREADS)
        self.state = np.zeros((copies, mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)))
        self.up_ticks = np.zeros(copies, int)
        self.lifted = np.zeros(copies, bool)

    def reset(self, command, berry_xy_m):
        """Stands still at `command`, the berry on the table."""
        self.state[:] = 0.0
        qpos = self._qpos()
        qpos[:, :6] = command[:, :6]
        qpos[:, 6:8] = command[:, 6:7] / 2.0
        qpos[:, self.berry : self.berry + 2] = berry_xy_m
        qpos[:, self.berry + 2] = self.radius_m
        qpos[:, self.berry + 3] = 1.0
        self.rest_z_m = self.radius_m.copy()
        self.up_ticks[:] = 0
        self.lifted[:] = False

    def measured(self):
        """Six joints in rad and the opening in m, as the daemon's `joint_position`."""
        qpos = self._qpos()
        return np.concatenate([qpos[:, :6], qpos[:, 6:7] + qpos[:, 7:8]], axis=1)

    def berry_m(self):
        return self._qpos()[:, self.berry : self.berry + 3]

    def tick(self, command):
        control = command.copy()
        control[:, 6] /= 2.0
        trace, _ = self.pool.rollout(
            self.models, self.data, self.state, np.repeat(control[:, None], self.substeps, axis=1)
        )
        self.state = trace[:, -1].copy()
        up = self.berry_m()[:, 2] >= self.rest_z_m + LIFTED_M
        self.up_ticks = np.where(up, self.up_ticks + 1, 0)
        self.lifted |= self.up_ticks >= HELD_TICKS

    def _qpos(self):
        return self.state[:, 1 : 1 + self.model.nq]  # FULLPHYSICS begins with time


def _vary(model, rng):
    berry = model.geom("berry").id
    radius = rng.uniform(0.015, 0.021)
    mass = rng.uniform(0.010, 0.030)
    model.geom_size[berry, 0] = radius
    model.geom_rbound[berry] = radius
    model.geom_aabb[berry, 3:] = radius
    body = model.body("berry").id
    model.body_mass[body] = mass
    model.body_inertia[body] = 0.4 * mass * radius**2
    for pad in ("pad_left", "pad_right"):
        model.geom_friction[model.geom(pad).id, 0] = rng.uniform(0.9, 1.4)
    # Lag is kv / kp: the head reads its own speed from it, and must not trust it to a decimal.
    stiff, lag = rng.uniform(0.8, 1.3, model.nu), rng.uniform(0.8, 1.25, model.nu)
    model.actuator_gainprm[:, 0] *= stiff
    model.actuator_biasprm[:, 1] *= stiff
    model.actuator_biasprm[:, 2] *= stiff * lag
    mujoco.mj_setConst(model, mujoco.MjData(model))
