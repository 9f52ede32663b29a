"""A scene stepped one tick at a time, many copies of it, with the rule of grasping that the scene itself declares.

The rule is that of the daemon's MuJoCo backend: a tuple `attach_*` names what is carried, the site that carries it, the
joints that close, and the geoms that touch nothing until they are closed. Without one, contact and friction decide.
"""

import mujoco
import numpy as np

from .body import DOF, QPOS
from .paths import SCENES
from .safety import TICK_S


class Rule:
    def __init__(self, model):
        names = [model.tuple(each).name for each in range(model.ntuple)]
        at = next(model.tuple(name) for name in names if name.startswith("attach_"))
        self.joints, self.closed, self.geoms = [], [], []
        start, size = model.tuple_adr[at.id], model.tuple_size[at.id]
        for kind, what, prm in zip(
            model.tuple_objtype[start : start + size],
            model.tuple_objid[start : start + size],
            model.tuple_objprm[start : start + size],
        ):
            if kind == mujoco.mjtObj.mjOBJ_BODY:
                self.body, self.lowest_m = what, prm
            elif kind == mujoco.mjtObj.mjOBJ_SITE:
                self.site, self.reach_m = what, prm
            elif kind == mujoco.mjtObj.mjOBJ_JOINT:
                self.joints.append(model.jnt_qposadr[what])
                self.closed.append(prm)
            else:
                self.geoms.append(what)
        free = model.body_jntadr[self.body]
        self.qpos, self.dof = model.jnt_qposadr[free], model.jnt_dofadr[free]
        self.carried_geoms = np.flatnonzero(model.geom_bodyid == self.body)

    def is_closed(self, data):
        return all(data.qpos[at] < below for at, below in zip(self.joints, self.closed))


class World:
    """`copies` of a scene; each with friction, mass and springs of its own if `vary` says so."""

    def __init__(self, scene, copies, rng=None, vary=0.0, friction=(1.0, 1.0), mass=(1.0, 1.0)):
        first = mujoco.MjModel.from_xml_path(str(SCENES / f"{scene}.xml"))
        self.rule = Rule(first) if any(first.tuple(i).name.startswith("attach_") for i in range(first.ntuple)) else None
        self.models = [first] * copies
        if vary or friction != (1.0, 1.0) or mass != (1.0, 1.0):
            self.models = [_varied(scene, rng, vary, friction, mass) for _ in range(copies)]
        if self.rule is not None and self.models[0] is first:  # the rule switches contacts: a model of its own for each
            self.models = [mujoco.MjModel.from_xml_path(str(SCENES / f"{scene}.xml")) for _ in range(copies)]
        self.data = [mujoco.MjData(model) for model in self.models]
        self.berry = first.joint("berry_free").qposadr[0]
        self.pushed = first.body("chest").id
        self.step_s = first.opt.timestep
        self.ticks = self.steps = 0
        self.held = np.zeros(copies, bool)
        self.touching = [(model.geom_contype.copy(), model.geom_conaffinity.copy()) for model in self.models]

    def reset(self, positions, berry_m):
        for model, data, at, thing in zip(self.models, self.data, positions, berry_m):
            mujoco.mj_resetDataKeyframe(model, data, 0)
            data.qpos[QPOS] = at
            data.qpos[self.berry : self.berry + 3] = thing
            mujoco.mj_forward(model, data)
        self.held[:] = False
        self.ticks = self.steps = 0

    def measured(self):
        return np.array([data.qpos[QPOS] for data in self.data])

    def rates(self):
        return np.array([data.qvel[DOF] for data in self.data])

    def berry_m(self):
        return np.array([data.qpos[self.berry : self.berry + 3] for data in self.data])

    def kick(self, row, rates):
        """Adds to the joints' speeds, (32,)."""
        self.data[row].qvel[DOF] += rates

    def push(self, row, force_n):
        """Of the trunk, until told otherwise."""
        self.data[row].xfrc_applied[self.pushed, :2] = force_n

    def tick(self, command):
        self.ticks += 1
        until = int(self.ticks * TICK_S / self.step_s + 1e-9)
        count, self.steps = until - self.steps, until
        for row, (model, data) in enumerate(zip(self.models, self.data)):
            data.ctrl[:] = command[row]
            if self.rule is None:
                mujoco.mj_step(model, data, count)
                continue
            closing = min(min(data.qpos[at] for at in self.rule.joints), command[row, 14:16].min()) < 0.05
            if not closing:
                self._touch(row, False, False)
                self.held[row] = False
                mujoco.mj_step(model, data, count)
                continue
            for _ in range(count):
                mujoco.mj_step(model, data)
                self._attach(row, model, data)

    def _attach(self, row, model, data):
        rule = self.rule
        closed = rule.is_closed(data)
        mujoco.mj_kinematics(model, data)
        hand = data.site_xpos[rule.site]
        near = np.linalg.norm(hand - data.qpos[rule.qpos : rule.qpos + 3]) < rule.reach_m
        self.held[row] = closed and (self.held[row] or near)
        self._touch(row, closed, self.held[row])
        if self.held[row]:
            data.qpos[rule.qpos : rule.qpos + 3] = hand
            data.qpos[rule.qpos + 2] = max(hand[2], rule.lowest_m)
            data.qvel[rule.dof : rule.dof + 6] = 0.0

    def _touch(self, row, gripper, held):
        model, (types, affinities) = self.models[row], self.touching[row]
        for geoms, on in ((self.rule.geoms, gripper), (self.rule.carried_geoms, not held)):
            model.geom_contype[geoms] = types[geoms] if on else 0
            model.geom_conaffinity[geoms] = affinities[geoms] if on else 0


def _varied(scene, rng, vary, friction, mass):
    model = mujoco.MjModel.from_xml_path(str(SCENES / f"{scene}.xml"))
    factor = lambda span: np.exp(rng.uniform(*np.log(span)))
    model.geom_friction *= factor(friction)
    model.pair_friction *= factor(friction)
    times = factor(mass)
    body = model.body("berry").id
    model.body_mass[body] *= times
    model.body_inertia[body] *= times
    stiff = rng.uniform(1.0 - vary, 1.0 + vary, model.nu)
    model.actuator_gainprm[:, 0] *= stiff
    model.actuator_biasprm[:, 1] *= stiff
    model.dof_damping[:] *= rng.uniform(1.0 - vary, 1.0 + 3 * vary)
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model
