"""Writes the descriptions in this folder: joints and limits only, from the figures below.

Each row is a joint: what it does, origin (xyz m, rpy rad), axis, lower, upper (rad or m), velocity, and perhaps a mimic
(joint, multiplier, offset). Links are base_link, link1, link2 and so on. Run it in this folder: python3 make.py
"""

import math

REVOLUTE, CONTINUOUS, PRISMATIC, FIXED = "revolute", "continuous", "prismatic", "fixed"
Z = (0, 0, 1)

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

# Others, by their makers' figures: Trossen ViperX-300S, ARX X5 (real-stanford/arx5-sdk at 1c5628a7), AgileX Nero
# (agilexrobotics/Piper_ros at 3fdffd5e; it states no speeds).
X, Y = (1, 0, 0), (0, 1, 0)
VIPERX_300S = [
    (REVOLUTE, (0, 0, 0.079), (0, 0, 0), Z, -3.14158, 3.14158, 3.14),
    (REVOLUTE, (0, 0, 0.04805), (0, 0, 0), Y, -1.85005, 1.25664, 3.14),
    (REVOLUTE, (0.05955, 0, 0.3), (0, 0, 0), Y, -1.76278, 1.6057, 3.14),
    (REVOLUTE, (0.2, 0, 0), (0, 0, 0), X, -3.14158, 3.14158, 3.14),
    (REVOLUTE, (0.1, 0, 0), (0, 0, 0), Y, -1.8675, 2.23402, 3.14),
    (REVOLUTE, (0.069744, 0, 0), (0, 0, 0), X, -3.14158, 3.14158, 3.14),
]
ARX_X5 = [
    (REVOLUTE, (0, 0, 0.0603), (0, 0, 0), Z, -10, 10, 10),
    (REVOLUTE, (0.02, 0, 0.0402), (0, 0, 0), Y, 0, 3.14, 10),
    (REVOLUTE, (-0.264, 0, 0), (-3.1416, 0, 0), Y, 0, 3.14, 10),
    (REVOLUTE, (0.245, 0, -0.056), (0, 0, 0), Y, -1.57079632679, 1.57079632679, 10),
    (REVOLUTE, (0.06575, -0.001, -0.0825), (0, 0, 0), Z, -1.67, 1.67, 10),
    (REVOLUTE, (0.02845, 0, 0.0825), (-3.1416, 0, 0), X, -1.57, 1.57, 10),
]
NERO = [
    (REVOLUTE, (0, 0, 0.138), (0, 0, 0), Z, -2.7, 2.7, 3),
    (REVOLUTE, (0, 0, 0), (1.5708, 3.1415, 0), Z, -1.74, 1.74, 3),
    (REVOLUTE, (0, -0.31, 0), (-1.5708, 0, 3.1416), Z, -2.75, 2.75, 3),
    (REVOLUTE, (0, 0, 0), (-1.5708, 0, 3.1416), Z, -1.01, 2.14, 3),
    (REVOLUTE, (0, -0.27001, 0), (1.5708, -1.5708, 0), Z, -2.75, 2.75, 3),
    (REVOLUTE, (0, 0, 0), (1.5708, -1.5708, 0), Z, -0.73, 0.95, 3),
    (REVOLUTE, (0, -0.0235, 0), (1.5708, 0, 0), Z, -1.57, 1.57, 3),
]

# Universal Robots UR5e: d m, a m, alpha deg by the maker's table; each joint turns first.
UR5E = [(0.1625, 0, 90), (0, -0.425, 0), (0, -0.3922, 0), (0.1333, 0, 90), (0.0997, 0, -90), (0.0996, 0, 0)]

# SO-101, five joints, TheRobotStudio/SO-ARM100 at 0aee1d0f, its zeros below 1e-6 rounded; then the tool.
SO101 = [
    (REVOLUTE, (0.0207909, -0.0230745, 0.0948817), (-3.14159, 0, 1.5708), Z, -1.91986, 1.91986, 10),
    (REVOLUTE, (-0.0303992, -0.0182778, -0.0542), (-1.5708, -1.5708, 0), Z, -1.74533, 1.74533, 10),
    (REVOLUTE, (-0.11257, -0.028, 0), (0, 0, 1.5708), Z, -1.69, 1.69, 10),
    (REVOLUTE, (-0.1349, 0.0052, 0), (0, 0, -1.5708), Z, -1.65806, 1.65806, 10),
    (REVOLUTE, (0, -0.0611, 0.0181), (1.5708, 0, 3.14159), Z, -2.79253, 2.79253, 10),
    (FIXED, (-0.0079, -0.000218121, -0.0981274), (1.5708, 0, 1.5708), Z, 0, 0, 0),
]

# Made up: five joints like a small desk arm's; and a column that lifts, whose second stage follows the first.
FIVE = [
    (REVOLUTE, (0, 0, 0.06), (0, 0, 0), Z, -1.9, 1.9, 6),
    (REVOLUTE, (0.03, 0, 0.055), (0, 0, 0), Y, -1.7, 1.7, 6),
    (REVOLUTE, (0.028, 0, 0.113), (0, 0, 0), Y, -1.7, 1.7, 6),
    (REVOLUTE, (0.135, 0, 0.005), (0, 0, 0), Y, -1.65, 1.65, 6),
    (REVOLUTE, (0.061, 0, 0), (0, 0, 0), X, -2.7, 2.8, 6),
]
LIFTED = [
    (PRISMATIC, (0, 0, 0.3), (0, 0, 0), Z, 0, 0.4, 0.5),
    (PRISMATIC, (0, 0, 0.1), (0, 0, 0), Z, 0, 0.4, 0.5, ("joint1", 1, 0)),
    (FIXED, (0.05, 0, 0), (0, 0, 0.3), Z, 0, 0, 0),
    (CONTINUOUS, (0, 0, 0.05), (0, 0, 0), Z, 0, 0, 3),
    (REVOLUTE, (0.25, 0, 0), (0, 0, 0), Z, -2.5, 2.5, 3),
    (REVOLUTE, (0.2, 0, 0), (0, 1.5708, 0), Z, -2, 2, 3),
    (REVOLUTE, (0, 0, 0.05), (-1.5708, 0, 0), Z, -2, 2, 3),
    (REVOLUTE, (0, 0.08, 0), (1.5708, 0, 0), Z, -3, 3, 3),
]


def standard_dh(table, limits, velocity):
    """Rz(q) Tz(d) Tx(a) Rx(alpha), each joint's figures an origin of the next; the last is a fixed flange."""
    rows, xyz, rpy = [], (0, 0, 0), (0, 0, 0)
    for (d, a, alpha), (lower, upper) in zip(table, limits):
        rows.append((REVOLUTE, xyz, rpy, Z, lower, upper, velocity))
        xyz, rpy = (a, 0, d), (math.radians(alpha), 0, 0)
    return rows + [(FIXED, xyz, rpy, Z, 0, 0, 0)]


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
    turns = [(-2 * math.pi, 2 * math.pi)] * 6
    turns[2] = (-math.pi, math.pi)
    write("ur5e", chain(standard_dh(UR5E, turns, 3.14)))
    write("nero", chain(NERO))
    write("so101", chain(SO101))
    write("five", chain(FIVE))
    write("lifted", chain(LIFTED))
    write("two_arms", chain(PIPER_NEW, prefix="left_"), chain(PIPER_NEW, prefix="right_"))
