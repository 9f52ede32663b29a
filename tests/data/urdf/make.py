"""Writes the descriptions in this folder: joints and limits only, from the figures below.

Each row is a joint: what it does, origin (xyz m, rpy rad), axis, lower, upper (rad or m), velocity, and perhaps a mimic
(joint, multiplier, offset). Links are base_link, link1, link2 and so on. Run it in this folder: python3 make.py
"""

import math

REVOLUTE, CONTINUOUS, PRISMATIC, FIXED = "revolute", "continuous", "prismatic", "fixed"
X, Y, Z = (1, 0, 0), (0, 1, 0), (0, 0, 1)
NONE = (0, 0, 0)

# The vendor's own descriptions, agilexrobotics/Piper_ros at 116596ce (piper_h: 2dc30fca, 2024: 4f22c61f): rounded
# angles, a wrist that misses itself by 88 um (1.4 mm in 2024), digits swapped in two limits.
PIPER_NEW = [
    (REVOLUTE, (0, 0, 0.123), (0, 0, 0), Z, -2.618, 2.618, 5),
    (REVOLUTE, (0, 0, 0), (1.5708, -0.1359, -3.1416), Z, 0, 3.14, 5),
    (REVOLUTE, (0.28503, 0, 0), (0, 0, -1.7939), Z, -2.967, 0, 5),
    (REVOLUTE, (-0.021984, -0.25075, 0), (1.5708, 0, 0), Z, -1.745, 1.745, 5),
    (REVOLUTE, (0, 0, 0), (-1.5708, 0, 0), Z, -1.22, 1.22, 5),
    (REVOLUTE, (8.8259e-05, -0.091, 0), (1.5708, 0, 0), Z, -2.0944, 2.0944, 3),
]
PIPER_OLD = [
    (REVOLUTE, (0, 0, 0.123), (0, 0, 0), Z, -2.618, 2.168, 5),
    (REVOLUTE, (0, 0, 0), (1.5708, -0.10095, -3.1416), Z, 0, 3.14, 5),
    (REVOLUTE, (0.28503, 0, 0), (0, 0, -1.759), Z, -2.967, 0, 5),
    (REVOLUTE, (-0.021984, -0.25075, 0), (1.5708, 0, 0), Z, -1.745, 1.745, 5),
    (REVOLUTE, (0, 0, 0), (-1.5708, 0, 0), Z, -1.22, 1.22, 5),
    (REVOLUTE, (8.8259e-05, -0.091, 0), (1.5708, 0, 0), Z, -2.0944, 2.0944, 3),
]
PIPER_2024 = [
    (REVOLUTE, (0, 0, 0.123), (0, 0, -1.5708), Z, -2.618, 2.618, 0),
    (REVOLUTE, (0, 0, 0), (1.5708, -0.10095, -1.5708), Z, 0, 3.14, 1),
    (REVOLUTE, (0.28503, 0, 0), (0, 0, 1.3826), Z, -2.967, 0, 1),
    (REVOLUTE, (0.021984, 0.25075, 0), (-1.5708, 0, 0), (0, 0, -1), -1.832, 1.832, 1),
    (REVOLUTE, (0, 0, 0), (1.5708, -0.087266, 0), Z, -1.22, 1.22, 1),
    (REVOLUTE, (0, 0.091, 0.0014165), (-1.5708, -1.5708, 0), (0, 0, -1), -3.14, 3.14, 1),
]
PIPER_X = [
    (REVOLUTE, (0, 0, 0.123), (0, 0, 0), Z, -2.618, 2.618, 10),
    (REVOLUTE, (0, 0, 0), (1.5708, -0.13586, 3.1416), Z, 0, 3.14, 10),
    (REVOLUTE, (0.28503, 0, 0), (0, 0, 2.8377), Z, -2.9671, 0, 10),
    (REVOLUTE, (0.27264, 0, 0), (0, 0, 0.075129), Z, -1.57, 1.57, 10),
    (REVOLUTE, (0.076857, 0.00062395, 0), (-1.5708, 0, 0), Z, -1.57, 1.57, 10),
    (REVOLUTE, (0.035, 0, 0), (1.5708, 0, 1.5708), Z, -3.14, 3.14, 10),
]
PIPER_H = [
    (REVOLUTE, (0, 0, 0.123), (0, 0, 0), Z, -2.618, 2.618, 5),
    (REVOLUTE, (0, 0, 0), (1.5708, -0.13674, 3.1416), Z, 0, 3.14, 5),
    (REVOLUTE, (0.28508, 0, 0), (0, 0, -1.8796), Z, -2.967, 0, 5),
    (REVOLUTE, (0, -0.25666, 0), (1.5708, 0, 0.17203), (-0.087161, 0, 0.99619), -1.745, 1.745, 5),
    (REVOLUTE, (0, 0, 0), (-1.5708, -0.087272, 0), Z, -1.22, 1.22, 5),
    (REVOLUTE, (0, -0.096, 0), (1.5708, 0, 0.087272), (-0.087161, 0, 0.99619), -2.0944, 2.0944, 3),
]
PIPER_L = [
    (REVOLUTE, (0, 0, 0.123), (0, 0, 0), Z, -2.618, 2.618, 3),
    (REVOLUTE, (0, 0, 0), (1.5708, -0.1745, 3.1416), Z, 0, 3.14, 3),
    (REVOLUTE, (0.33823, 0, 0), (0, 0, -1.8325), Z, -2.697, 0, 3),
    (REVOLUTE, (0, -0.3215, 0), (1.5708, 0, 0.1557), Z, -1.832, 1.832, 3),
    (REVOLUTE, (0, 0, 0), (-1.5708, -0.087272, 0), (0, 0, -1), -1.22, 1.22, 3),
    (REVOLUTE, (0, -0.091, 0), (1.5708, 0, 0), Z, -3.14, 3.14, 3),
]

# Modified (Craig) DH of firmware older than S-V1.6-3: alpha deg, a m, d m, theta's offset deg.
PIPER_DH0 = [
    (0, 0, 0.123, 0),
    (-90, 0, 0, -174.22),
    (0, 0.28503, 0, -100.78),
    (90, -0.02198, 0.25075, 0),
    (-90, 0, 0, 0),
    (90, 0, 0.091, 0),
]
PIPER_LIMITS = [(-2.618, 2.618), (0, 3.14), (-2.967, 0), (-1.745, 1.745), (-1.22, 1.22), (-2.0944, 2.0944)]

# Trossen Robotics, vx300s.urdf.xacro of Interbotix/interbotix_ros_manipulators.
VIPERX_300S = [
    (REVOLUTE, (0, 0, 0.079), NONE, Z, -3.14158, 3.14158, 3.14),
    (REVOLUTE, (0, 0, 0.04805), NONE, Y, -1.85005, 1.25664, 3.14),
    (REVOLUTE, (0.05955, 0, 0.3), NONE, Y, -1.76278, 1.6057, 3.14),
    (REVOLUTE, (0.2, 0, 0), NONE, X, -3.14158, 3.14158, 3.14),
    (REVOLUTE, (0.1, 0, 0), NONE, Y, -1.8675, 2.23402, 3.14),
    (REVOLUTE, (0.069744, 0, 0), NONE, X, -3.14158, 3.14158, 3.14),
]

# ARX, X5.urdf of real-stanford/arx5-sdk at 1c5628a7.
ARX_X5 = [
    (REVOLUTE, (0, 0, 0.0603), NONE, Z, -10.0, 10.0, 10),
    (REVOLUTE, (0.02, 0, 0.0402), NONE, Y, 0, 3.14, 10),
    (REVOLUTE, (-0.264, 0, 0), (-3.1416, 0, 0), Y, 0, 3.14, 10),
    (REVOLUTE, (0.245, 0, -0.056), NONE, Y, -1.57079632679, 1.57079632679, 10),
    (REVOLUTE, (0.06575, -0.001, -0.0825), NONE, Z, -1.67, 1.67, 10),
    (REVOLUTE, (0.02845, 0, 0.0825), (-3.1416, 0, 0), X, -1.57, 1.57, 10),
]

# Universal Robots, UR5e: the maker's published d, a and alpha; the last frame is the flange.
TURN, HALF, QUARTER = 2 * math.pi, math.pi, math.pi / 2
UR5E = [
    (REVOLUTE, (0, 0, 0.1625), NONE, Z, -TURN, TURN, HALF),
    (REVOLUTE, NONE, (QUARTER, 0, 0), Z, -TURN, TURN, HALF),
    (REVOLUTE, (-0.425, 0, 0), NONE, Z, -HALF, HALF, HALF),
    (REVOLUTE, (-0.3922, 0, 0.1333), NONE, Z, -TURN, TURN, HALF),
    (REVOLUTE, (0, -0.0997, 0), (QUARTER, 0, 0), Z, -TURN, TURN, HALF),
    (REVOLUTE, (0, 0.0996, 0), (-QUARTER, 0, 0), Z, -TURN, TURN, HALF),
]

# AgileX Nero, seven joints, agilexrobotics/Piper_ros at 3fdffd5e. Its description states no speeds.
NERO = [
    (REVOLUTE, (0, 0, 0.138), NONE, Z, -2.7, 2.7, 0),
    (REVOLUTE, NONE, (1.5708, 3.1415, 0), Z, -1.74, 1.74, 0),
    (REVOLUTE, (0, -0.31, 0), (-1.5708, 0, 3.1416), Z, -2.75, 2.75, 0),
    (REVOLUTE, NONE, (-1.5708, 0, 3.1416), Z, -1.01, 2.14, 0),
    (REVOLUTE, (0, -0.27001, 0), (1.5708, -1.5708, 0), Z, -2.75, 2.75, 0),
    (REVOLUTE, NONE, (1.5708, -1.5708, 0), Z, -0.73, 0.95, 0),
    (REVOLUTE, (0, -0.0235, 0), (1.5708, 0, 0), Z, -1.57, 1.57, 0),
]

# SO-101, five joints, TheRobotStudio/SO-ARM100 at 0aee1d0f, its zeros below 1e-6 rounded; then the tool.
SO101 = [
    (REVOLUTE, (0.0207909, -0.0230745, 0.0948817), (-3.14159, 0, 1.5708), Z, -1.91986, 1.91986, 10),
    (REVOLUTE, (-0.0303992, -0.0182778, -0.0542), (-1.5708, -1.5708, 0), Z, -1.74533, 1.74533, 10),
    (REVOLUTE, (-0.11257, -0.028, 0), (0, 0, 1.5708), Z, -1.69, 1.69, 10),
    (REVOLUTE, (-0.1349, 0.0052, 0), (0, 0, -1.5708), Z, -1.65806, 1.65806, 10),
    (REVOLUTE, (0, -0.0611, 0.0181), (1.5708, 0, 3.14159), Z, -2.79253, 2.79253, 10),
    (FIXED, (-0.0079, -0.000218121, -0.0981274), (1.5708, 0, 1.5708), NONE, 0, 0, 0),
]

# Ours: a column that rises, a boom of two equal stages that slide out together, and a wrist that turns for ever.
CRANE = [
    (PRISMATIC, (0, 0, 0.2), NONE, Z, 0, 0.5, 0.4),
    (REVOLUTE, (0, 0, 0.1), NONE, (0, 0, -2), -2.5, 2.5, 1),
    (PRISMATIC, (0.3, 0, 0), NONE, X, 0.05, 0.25, 0.3),
    (PRISMATIC, (0.3, 0, 0), NONE, X, 0.0, 0.2, 0.3, ("joint3", 1.0, -0.05)),
    (REVOLUTE, (0.02, 0, 0), NONE, Y, -1.5, 1.5, 2),
    (CONTINUOUS, (0, 0, -0.05), NONE, Z, 0, 0, 3),
    (FIXED, (0, 0, -0.1), (math.pi, 0, 0), NONE, 0, 0, 0),
]


def from_dh(table, limits, velocity):
    """Rx(alpha) Tx(a) Rz(offset) Tz(d) as an origin."""
    rows = []
    for (alpha, a, d, offset), (lower, upper) in zip(table, limits):
        alpha, offset = math.radians(alpha), math.radians(offset)
        ca, sa, co, so = math.cos(alpha), math.sin(alpha), math.cos(offset), math.sin(offset)
        # Exact zeros, where the table means a right angle.
        ca, sa = (0.0 if abs(v) < 1e-15 else v for v in (ca, sa))
        xyz = (a, -sa * d, ca * d)
        # R = Rx(alpha) Rz(offset) = Rz(yaw) Ry(pitch) Rx(roll)
        rpy = (math.atan2(sa * co, ca), math.asin(-sa * so), math.atan2(ca * so, co))
        rows.append((REVOLUTE, xyz, rpy, Z, lower, upper, velocity))
    return rows


def text(values):
    return " ".join(repr(value or 0) for value in values)


def chain(rows, base="base_link", prefix=""):
    """Joints in a row, from `base` on."""
    lines, parent = [], base
    for k, (kind, xyz, rpy, axis, lower, upper, velocity, *mimic) in enumerate(rows, 1):
        child = f"{prefix}link{k}"
        lines.append(f'  <link name="{child}"/>')
        lines.append(f'  <joint name="{prefix}joint{k}" type="{kind}">')
        lines.append(f'    <origin xyz="{text(xyz)}" rpy="{text(rpy)}"/>')
        lines.append(f'    <parent link="{parent}"/>')
        lines.append(f'    <child link="{child}"/>')
        if kind != FIXED:
            lines.append(f'    <axis xyz="{text(axis)}"/>')
            bounds = "" if kind == CONTINUOUS else f'lower="{lower}" upper="{upper}" '
            lines.append(f'    <limit {bounds}effort="100" velocity="{velocity}"/>')
        for joint, multiplier, offset in mimic:
            lines.append(f'    <mimic joint="{joint}" multiplier="{multiplier}" offset="{offset}"/>')
        lines.append("  </joint>")
        parent = child
    return lines


def write(name, *chains):
    lines = ['<?xml version="1.0"?>', f'<robot name="{name}">', '  <link name="base_link"/>']
    lines += [line for part in chains for line in part]
    with open(f"{name}.urdf", "w", encoding="utf-8") as file:
        file.write("\n".join(lines + ["</robot>", ""]))


if __name__ == "__main__":
    write("piper_new", chain(PIPER_NEW))
    write("piper_old", chain(PIPER_OLD))
    write("piper_2024", chain(PIPER_2024))
    write("piper_x", chain(PIPER_X))
    write("piper_h", chain(PIPER_H))
    write("piper_l", chain(PIPER_L))
    write("piper_dh0", chain(from_dh(PIPER_DH0, PIPER_LIMITS, 3.0)))
    write("viperx_300s", chain(VIPERX_300S))
    write("arx_x5", chain(ARX_X5))
    write("ur5e", chain(UR5E))
    write("nero", chain(NERO))
    write("so101", chain(SO101))
    write("crane", chain(CRANE))
    # A torso that turns, with an arm on either side.
    left = chain([(FIXED, (0, 0.15, 0.4), (-1, 0, 0), NONE, 0, 0, 0), *PIPER_NEW], "torso_link1", "left_")
    right = chain([(FIXED, (0, -0.15, 0.4), (1, 0, 0), NONE, 0, 0, 0), *PIPER_NEW], "torso_link1", "right_")
    torso = chain([(REVOLUTE, (0, 0, 0.5), NONE, Z, -1, 1, 1)], prefix="torso_")
    write("two_arms", torso, left, right)
