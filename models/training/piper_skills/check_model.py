"""Holds urdf/piper.urdf, the scene and kinematics.py against each other.

    python -m piper_skills.check_model [fk_vectors.json]

The optional file holds flange poses from the vendor's SDK: {"vectors": [{"q": [6], "xyz": [3], "R": [3][3]}]}.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import mujoco
import numpy as np

from . import kinematics
from .paths import SCENE, URDF

ORACLE_TOLERANCE = 1e-9  # m, and entries of R
SCENE_TOLERANCE = 1e-6


class Urdf:
    """Just enough of URDF to follow a chain upward from a link."""

    def __init__(self, path: Path):
        self.root = ElementTree.parse(path).getroot()
        self.by_child = {j.find("child").get("link"): j for j in self.root.iter("joint")}

    def pose(self, link, q_by_joint):
        joint = self.by_child.get(link)
        if joint is None:
            return np.eye(4)
        pose = self.pose(joint.find("parent").get("link"), q_by_joint) @ _origin(joint)
        if joint.get("type") == "fixed":
            return pose
        q = q_by_joint[joint.get("name")]
        axis = _floats(joint.find("axis").get("xyz"))
        move = np.eye(4)
        if joint.get("type") == "prismatic":
            move[:3, 3] = q * axis
        else:
            assert axis.tolist() == [0.0, 0.0, 1.0]
            move[:3, :3] = _turn(2, q)
        return pose @ move

    def inertials(self):
        for link in self.root.iter("link"):
            inertia = link.find("inertial/inertia")
            if inertia is not None:
                xx, xy, xz, yy, yz, zz = (float(inertia.get(k)) for k in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz"))
                mass = float(link.find("inertial/mass").get("value"))
                yield link.get("name"), mass, np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _floats(text):
    return np.array([float(word) for word in text.split()])


def _turn(axis, angle):
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[i, i] = turn[j, j] = np.cos(angle)
    turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
    return turn


def _origin(joint):
    pose = np.eye(4)
    origin = joint.find("origin")
    if origin is not None:
        roll, pitch, yaw = _floats(origin.get("rpy", "0 0 0"))
        pose[:3, :3] = _turn(2, yaw) @ _turn(1, pitch) @ _turn(0, roll)
        pose[:3, 3] = _floats(origin.get("xyz", "0 0 0"))
    return pose


def against_oracle(urdf, path):
    vectors = json.loads(Path(path).read_text())["vectors"]
    worst = 0.0
    for vector in vectors:
        want = np.eye(4)
        want[:3, :3], want[:3, 3] = vector["R"], vector["xyz"]
        q = vector["q"]
        for have in (urdf.pose("link6", _named(q)), kinematics.flange(q)):
            worst = max(worst, np.abs(have - want).max())
    assert worst < ORACLE_TOLERANCE, worst
    print(f"flange against the SDK, {len(vectors)} poses: {worst:.1e}")


def against_scene(urdf, poses=1000):
    model = mujoco.MjModel.from_xml_path(str(SCENE))
    data = mujoco.MjData(model)
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(poses):
        q = rng.uniform(kinematics.ARM_MIN_RAD, kinematics.ARM_MAX_RAD)
        finger = rng.uniform(0.0, 0.035)
        data.qpos[:8] = [*q, finger, finger]
        mujoco.mj_kinematics(model, data)
        named = _named(q) | {"joint7": finger, "joint8": finger}
        for have, link in (
            (data.site("tool"), "tool"),
            (data.site("flange"), "link6"),
            (data.body("link7"), "link7"),
            (data.body("link8"), "link8"),
        ):
            want = urdf.pose(link, named)
            worst = max(worst, np.abs(have.xpos - want[:3, 3]).max(), np.abs(have.xmat.reshape(3, 3) - want[:3, :3]).max())
        worst = max(worst, np.abs(kinematics.tool(q)[:3, 3] - data.site("tool").xpos).max())
    assert worst < SCENE_TOLERANCE, worst
    print(f"URDF against the scene, {poses} poses: {worst:.1e}")

    total = sum(mass for _, mass, _ in urdf.inertials())
    scene_total = sum(model.body(name).mass[0] for name, _, _ in urdf.inertials())
    assert abs(total - scene_total) < 1e-9, (total, scene_total)


def inertias_are_bodies(urdf):
    """Positive, and no principal moment above the sum of the other two: else no body has that tensor."""
    for name, _, tensor in urdf.inertials():
        low, mid, high = np.linalg.eigvalsh(tensor)
        assert 0.0 < low and high < low + mid, (name, low, mid, high)
    print("inertias: all could be bodies")


def scene_is_quiet(seconds=4.0):
    """Standing at home: no warning, little sag, and the berry stays where it was put."""
    model = mujoco.MjModel.from_xml_path(str(SCENE))
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    home = data.qpos.copy()
    for _ in range(int(seconds / model.opt.timestep)):
        mujoco.mj_step(model, data)
    sag = np.abs(data.qpos[:6] - home[:6]).max()
    drift = np.linalg.norm(data.qpos[8:11] - home[8:11])
    assert sag < 0.004 and drift < 0.001, (sag, drift)
    assert all(warning.number == 0 for warning in data.warning)
    print(f"scene at rest: sag {1e3 * sag:.1f} mrad, berry drift {1e6 * drift:.0f} um, {data.ncon} contact(s), no warning")


def _named(q):
    return {f"joint{i + 1}": value for i, value in enumerate(q)}


if __name__ == "__main__":
    urdf = Urdf(URDF)
    if len(sys.argv) > 1:
        against_oracle(urdf, sys.argv[1])
    against_scene(urdf)
    inertias_are_bodies(urdf)
    scene_is_quiet()
