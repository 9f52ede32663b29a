"""The body's joints in the order of its actuators, their ranges, and where hands and mouth are.

Everything comes from the scene and the robot's file; nothing is repeated here but the groups that move together.
"""

import tomllib

import mujoco
import numpy as np

from .paths import ROBOT, SCENES

_MODEL = mujoco.MjModel.from_xml_path(str(SCENES / "fireboy_berry.xml"))
_DATA = mujoco.MjData(_MODEL)
_LIMITS = tomllib.loads(ROBOT.read_text())["joints"]

JOINTS = [_MODEL.actuator(each).name.removesuffix("_pos") for each in range(_MODEL.nu)]
AT = {name: index for index, name in enumerate(JOINTS)}
QPOS = np.array([_MODEL.joint(name).qposadr[0] for name in JOINTS])
DOF = np.array([_MODEL.joint(name).dofadr[0] for name in JOINTS])
LOW, HIGH = np.array([_MODEL.joint(name).range for name in JOINTS]).T
CENTRE, HALF = (LOW + HIGH) / 2.0, (HIGH - LOW) / 2.0
HOME = _MODEL.key("home").ctrl.copy()
BERRY_HOME_M = _MODEL.key("home").qpos[:3].copy()


def _limit(kind):
    return np.array([next(v for k, v in joint.items() if k.startswith(kind)) for joint in _LIMITS])


assert JOINTS == [joint["name"] for joint in _LIMITS], "the scene's actuators and the robot's joints differ"
SPEED_MAX, ACCEL_MAX, JERK_MAX = _limit("velocity_max"), _limit("acceleration_max"), _limit("jerk_max")


PLACE, HEIGHT, YAW, TRUNK = np.array([0, 1]), np.array([2]), np.array([3]), np.arange(4, 8)
ARM = {"R": np.arange(8, 14), "L": np.arange(16, 22)}
FINGERS = {"R": np.arange(14, 16), "L": np.arange(22, 24)}
LEGS = np.arange(24, 32)  # right, then left: hip yaw, hip pitch, knee, ankle
GROUPS = (PLACE, HEIGHT, YAW, TRUNK, ARM["R"], FINGERS["R"], ARM["L"], FINGERS["L"], LEGS)
assert [AT[name] for name in ("root_yaw", "head_pitch", "shoulder_R_yaw", "finger_R_a", "finger_L_b", "ankle_L")] == [3, 7, 8, 14, 23, 31]

TOOLS = ("right", "left", "mouth")
_SITES = [_MODEL.site(name).id for name in ("right_hand_site", "left_hand_site", "mouth_site")]


def tools(positions):
    """Right hand, left hand and mouth of each row of joint positions: (n, 3, 3), m."""
    found = np.empty((len(positions), 3, 3))
    for row, at in enumerate(positions):
        _DATA.qpos[QPOS] = at
        mujoco.mj_kinematics(_MODEL, _DATA)
        found[row] = _DATA.site_xpos[_SITES]
    return found


def normal(commands):
    """SI to -1..1 of the joints' ranges, and back."""
    return (commands - CENTRE) / HALF


def commands(normalised):
    return CENTRE + HALF * np.clip(normalised, -1.0, 1.0)
