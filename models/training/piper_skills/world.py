"""Many arms stepped together one tick at a time: the scene with its contacts, or just servos that lag."""

import mujoco
import numpy as np
from mujoco import rollout

from .law import TICK_S
from .paths import SCENE
from .safety import COMMAND_MAX, COMMAND_MIN

THREADS = 2


class Servos:
    """An arm that meets nothing: each joint follows its command with a lag and sags a little."""

    LAG_S = 0.050

    def __init__(self, rng, copies):
        self.follow = 1.0 - np.exp(-TICK_S / (self.LAG_S * rng.uniform(0.8, 1.25, (copies, 1))))
        self.sag = rng.normal(0.0, [0.0015] * 6 + [0.0], (copies, 7))

    def reset(self, command):
        self.at = command.copy()

    def measured(self):
        return np.clip(self.at + self.sag, COMMAND_MIN, COMMAND_MAX)

    def thing_m(self):
        return np.zeros((len(self.at), 3))

    def tick(self, command):
        self.at += self.follow * (command - self.at)

    def close(self):
        pass


class Contacts:
    """The scene with one round thing on its table, each copy with thing, friction and servos of its own.

    The others are taken out: parked things only cost time. `radius_m` (n,): the thing's; `vary` draws the rest within
    the factors given, 1 being the scene as it is.
    """

    def __init__(self, rng, radius_m, friction=(1.0, 1.0), mass=(1.0, 1.0), servos=False):
        copies = len(radius_m)
        bare = _bare()
        self.models = [bare.compile() for _ in range(copies)]
        for model, radius in zip(self.models, radius_m):
            _vary(model, rng, radius, _factor(rng, friction), _factor(rng, mass), servos)
        self.model = self.models[0]
        self.substeps = round(TICK_S / self.model.opt.timestep)
        self.radius_m = radius_m
        self.thing = self.model.joint("berry").qposadr[0]
        self.data = [mujoco.MjData(self.model) for _ in range(THREADS)]
        self.pool = rollout.Rollout(nthread=THREADS)
        self.state = np.zeros((copies, mujoco.mj_stateSize(self.model, mujoco.mjtState.mjSTATE_FULLPHYSICS)))

    def reset(self, command, thing_xy_m):
        """Stands still at `command`, the thing on the table."""
        self.state[:] = 0.0
        qpos = self._qpos()
        qpos[:, :6] = command[:, :6]
        qpos[:, 6:8] = command[:, 6:7] / 2.0
        qpos[:, self.thing : self.thing + 2] = thing_xy_m
        qpos[:, self.thing + 2] = self.radius_m
        qpos[:, self.thing + 3] = 1.0

    def measured(self):
        """Six joints in rad and the opening in m, as the daemon's `joint_position`."""
        qpos = self._qpos()
        return np.concatenate([qpos[:, :6], qpos[:, 6:7] + qpos[:, 7:8]], axis=1)

    def thing_m(self):
        return self._qpos()[:, self.thing : self.thing + 3]

    def tick(self, command):
        control = command.copy()
        control[:, 6] /= 2.0
        trace, _ = self.pool.rollout(self.models, self.data, self.state, np.repeat(control[:, None], self.substeps, axis=1))
        self.state = trace[:, -1].copy()

    def close(self):
        self.pool.close()

    def _qpos(self):
        return self.state[:, 1 : 1 + self.model.nq]  # FULLPHYSICS begins with time


def _bare():
    spec = mujoco.MjSpec.from_file(str(SCENE))
    for name in ("ball", "face", *(f"distractor_{n}" for n in range(1, 5))):
        spec.delete(spec.body(name))
    spec.delete(spec.key("home"))  # it names the places of what is gone
    return spec


def _factor(rng, span):
    return np.exp(rng.uniform(*np.log(span)))


def _vary(model, rng, radius, friction, mass, servos):
    thing = model.geom("berry").id
    model.geom_size[thing, 0] = radius
    model.geom_rbound[thing] = radius
    model.geom_aabb[thing, 3:] = radius
    body = model.body("berry").id
    model.body_mass[body] *= mass
    model.body_inertia[body] = 0.4 * model.body_mass[body] * radius**2
    model.geom_friction *= friction
    if servos:
        stiff, lag = rng.uniform(0.8, 1.3, model.nu), rng.uniform(0.8, 1.25, model.nu)
        model.actuator_gainprm[:, 0] *= stiff
        model.actuator_biasprm[:, 1] *= stiff
        model.actuator_biasprm[:, 2] *= stiff * lag
    mujoco.mj_setConst(model, mujoco.MjData(model))
