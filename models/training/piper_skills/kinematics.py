"""The Piper's forward kinematics, and the inverse of the one family of poses that a pick-up needs.

Kept apart from MuJoCo so that the two can be checked against each other.
"""

import numpy as np

# Modified (Craig) DH of firmware S-V1.6-3 and later: alpha deg, a m, d m, theta offset deg.
# Older firmware has another zero; there every tool position would be 10 mm off.
DH = (
    (0.0, 0.0, 0.123, 0.0),
    (-90.0, 0.0, 0.0, -172.22),
    (0.0, 0.28503, 0.0, -102.78),
    (90.0, -0.02198, 0.25075, 0.0),
    (-90.0, 0.0, 0.0, 0.0),
    (90.0, 0.0, 0.091, 0.0),
)
TOOL_Z_M = 0.145  # flange to the point between the finger tips

ARM_MIN_RAD = np.array([-2.618, 0.0, -2.967, -1.745, -1.22, -2.0944])
ARM_MAX_RAD = np.array([2.618, 3.14, 0.0, 1.745, 1.22, 2.0944])
OPENING_MAX_M = 0.070  # both fingers together

SHOULDER_Z_M = DH[0][2]
UPPER_ARM_M = DH[2][1]
ELBOW_OFFSET_M = DH[3][1]
FOREARM_M = DH[3][2]
WRIST_TO_TOOL_M = DH[5][2] + TOOL_Z_M


def flange(q_rad):
    """Pose of the flange in the base frame, 4x4."""
    pose = np.eye(4)
    for (alpha, a, d, offset), q in zip(DH, q_rad):
        ca, sa = np.cos(np.radians(alpha)), np.sin(np.radians(alpha))
        ct, st = np.cos(q + np.radians(offset)), np.sin(q + np.radians(offset))
        pose = pose @ np.array(
            [
                [ct, -st, 0.0, a],
                [st * ca, ct * ca, -sa, -d * sa],
                [st * sa, ct * sa, ca, d * ca],
                [0.0, 0.0, 0.0, 1.0],
            ]
        )
    return pose


def tool(q_rad):
    """Pose of the tool in the base frame, 4x4: the flange moved along its own z."""
    pose = flange(q_rad)
    pose[:3, 3] += TOOL_Z_M * pose[:3, 2]
    return pose


def tool_positions(q_rad):
    """Positions of the tool in the base frame, (n, 3), for many arms at once."""
    pose = np.broadcast_to(np.eye(4), (len(q_rad), 4, 4))
    for (alpha, a, d, offset), q in zip(DH, np.moveaxis(q_rad, -1, 0)):
        ca, sa = np.cos(np.radians(alpha)), np.sin(np.radians(alpha))
        ct, st = np.cos(q + np.radians(offset)), np.sin(q + np.radians(offset))
        turn = np.zeros((len(q_rad), 4, 4))
        turn[:, 0, 0], turn[:, 0, 1], turn[:, 0, 3] = ct, -st, a
        turn[:, 1, 0], turn[:, 1, 1], turn[:, 1, 2], turn[:, 1, 3] = st * ca, ct * ca, -sa, -d * sa
        turn[:, 2, 0], turn[:, 2, 1], turn[:, 2, 2], turn[:, 2, 3] = st * sa, ct * sa, ca, d * ca
        turn[:, 3, 3] = 1.0
        pose = pose @ turn
    return pose[:, :3, 3] + TOOL_Z_M * pose[:, :3, 2]


def reach(tool_xyz_m, tilt_rad):
    """Joints that put the tool at `tool_xyz_m`, leaning outward by `tilt_rad` from straight down.

    Leaning straight outward keeps the whole arm in one upright plane: J4 = J6 = 0, the closing
    axis is horizontal, and the inverse is a two-link triangle. Works on arrays (..., 3).
    Out of reach gives NaN.
    """
    x, y, z = np.moveaxis(np.asarray(tool_xyz_m, float), -1, 0)
    wrist_r = np.hypot(x, y) - WRIST_TO_TOOL_M * np.sin(tilt_rad)
    wrist_z = z + WRIST_TO_TOOL_M * np.cos(tilt_rad) - SHOULDER_Z_M

    forearm = np.hypot(ELBOW_OFFSET_M, FOREARM_M)
    span2 = wrist_r**2 + wrist_z**2
    at_shoulder = np.arccos((span2 + UPPER_ARM_M**2 - forearm**2) / (2 * UPPER_ARM_M * np.sqrt(span2)))
    upper = np.arctan2(wrist_z, wrist_r) + at_shoulder  # elevation, elbow up
    lower = np.arctan2(
        wrist_z - UPPER_ARM_M * np.sin(upper), wrist_r - UPPER_ARM_M * np.cos(upper)
    )

    # J2 turns the upper arm down from 172.22 deg; b is the turn of frame 3 in the same plane.
    q2 = np.radians(-DH[1][3]) - upper
    b = -np.arctan2(-FOREARM_M, ELBOW_OFFSET_M) - lower
    q3 = b + upper - np.radians(DH[2][3])
    q5 = np.pi - tilt_rad - b
    zero = np.zeros_like(q2)
    wrap = lambda angle: (angle + np.pi) % (2 * np.pi) - np.pi
    # J3 lives in -2.967..0; its wrap is taken around the middle of that.
    q3 = wrap(q3 + 1.5) - 1.5
    return np.stack([np.arctan2(y, x), q2, q3, zero, wrap(q5), zero], axis=-1)
