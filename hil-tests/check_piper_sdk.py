#!/usr/bin/env python3
"""Drives the virtual arm with the vendor's unmodified piper_sdk, over socketcand.

For each generation of firmware: enable, joint targets, tool poses, gripper, limits, firmware, quick stop, reset, disable.
Prints a table; the first thing that is not so ends it, in words, with exit code 1.
"""

import argparse
import json
import logging
import math
import os
import socket
import subprocess
import sys
import time

# As the arm says it, with the zero that the SDK has to be told (dh_is_offset).
FIRMWARES = [("S-V1.5-2", 0), ("S-V1.6-5", 1), ("S-V1.8-2", 1), ("S-V1.8-8", 1)]
# mdeg; inside every generation's limits, the tool far from straight down and straight up.
POSES_MDEG = [
    [10_000, 60_000, -55_000, 12_000, 30_000, -20_000],
    [-25_000, 80_000, -70_000, -15_000, 20_000, 35_000],
]
# The maker's: tenths of a degree, hundredths of rad/s (the SDK believes in thousandths), hundredths of rad/s^2.
LIMITS = [(1500, -1500), (1800, 0), (0, -1700), (1000, -1000), (700, -700), (1200, -1200)]
SPEED, ACCELERATION = 300, 500


class Failure(Exception):
    """Something is not as it should be."""


def check(holds, words):
    """Goes on only if it is so."""
    if not holds:
        raise Failure(words)


# On a busy machine the SDK reads frames later than they are said.
PATIENCE = 6


def until(holds, seconds, words):
    """Waits for something for so long at most, times PATIENCE; returns the seconds that it took."""
    begun = time.monotonic()
    seconds *= PATIENCE
    while not holds():
        check(time.monotonic() - begun < seconds, f"{words}: not within {seconds} s")
        time.sleep(0.005)
    return time.monotonic() - begun


class World:
    """The arm as a process, and its world's door."""

    def __init__(self, program, *arguments):
        command = [program, "--socketcand", "127.0.0.1:0", "--world", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        addresses = json.loads(self.process.stdout.readline())
        host, port = addresses["socketcand"].split(":")
        os.environ["CAN_CONFIG"] = json.dumps({"host": host, "port": int(port)})
        host, port = addresses["world"].split(":")
        self.door = socket.create_connection((host, int(port))).makefile("rw")

    def ask(self, **request):
        self.door.write(json.dumps(request) + "\n")
        self.door.flush()
        answer = json.loads(self.door.readline())
        check(answer["ok"], f"the world answers {request} with {answer}")
        return answer

    def close(self):
        self.ask(do="quit")
        check(self.process.wait(timeout=20) == 0, "the arm did not end well")


WORLD = None


def joints(sdk):
    """mdeg."""
    state = sdk.GetArmJointMsgs().joint_state
    return [getattr(state, f"joint_{k}") for k in range(1, 7)]


def pose(sdk):
    """um and mdeg."""
    told = sdk.GetArmEndPoseMsgs().end_pose
    return [told.X_axis, told.Y_axis, told.Z_axis, told.RX_axis, told.RY_axis, told.RZ_axis]


def rotation(rx, ry, rz):
    """Rz Ry Rx, of degrees."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(a), math.sin(a)) for a in map(math.radians, (rx, ry, rz)))
    return [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]


def apart(one, other):
    """mm and degrees between poses of mm and degrees."""
    a, b = rotation(*one[3:]), rotation(*other[3:])
    trace = sum(a[i][j] * b[i][j] for i in range(3) for j in range(3))
    return math.dist(one[:3], other[:3]), math.degrees(math.acos(max(-1.0, min(1.0, (trace - 1) / 2))))


def rest(sdk):
    """Waits until the joints rest."""
    before = [0]

    def rests():
        last, before[:] = before[:], joints(sdk)
        time.sleep(0.3)
        return len(last) == 6 and max(abs(a - b) for a, b in zip(last, joints(sdk))) < 200

    until(rests, 5, "the joints come to rest")


def run(program, firmware, dh_is_offset, rate_scale, line):
    """One generation of firmware."""
    from piper_sdk import C_PiperInterface_V2

    global WORLD
    world = WORLD = World(program, "--firmware", firmware, "--rate-scale", str(rate_scale))
    sdk = C_PiperInterface_V2(firmware, judge_flag=False, can_auto_init=False, dh_is_offset=dh_is_offset)
    sdk.CreateCanBus("can0", "socketcand", judge_flag=False)
    sdk.ConnectPort()

    until(lambda: sdk.GetArmJointMsgs().time_stamp > 0, 3, "joints are told")
    # Its name comes in two frames.
    until(lambda: sdk.GetPiperFirmwareVersion() == firmware, 3, f"the firmware {firmware} is told")
    line("firmware", sdk.GetPiperFirmwareVersion())

    # GetAllMotorAngleLimitMaxSpd() tells of one motor six times, whichever answered last: the SDK keeps one object for all
    # answers. So each is asked for by itself.
    for motor, (most, least) in enumerate(LIMITS, 1):
        sdk.SearchMotorMaxAngleSpdAccLimit(motor, 0x01)
        told = lambda: sdk.GetCurrentMotorAngleLimitMaxVel().current_motor_angle_limit_max_vel
        until(lambda: told().motor_num == motor, 2, f"limits of motor {motor} are told")
        found = told().max_angle_limit, told().min_angle_limit, told().max_joint_spd
        check(found == (most, least, SPEED), f"limits of motor {motor} are {found}")
        sdk.SearchMotorMaxAngleSpdAccLimit(motor, 0x02)
        told_acc = lambda: sdk.GetCurrentMotorMaxAccLimit().current_motor_max_acc_limit
        until(lambda: told_acc().joint_motor_num == motor, 2, f"acceleration of motor {motor} is told")
        check(told_acc().max_joint_acc == ACCELERATION, f"acceleration of motor {motor} is {told_acc()}")
    sdk.SearchAllMotorMaxAngleSpd()
    sdk.SearchAllMotorMaxAccLimit()
    every = lambda: sdk.GetAllMotorAngleLimitMaxSpd().all_motor_angle_limit_max_spd.motor[6]
    until(lambda: (every().max_angle_limit, every().min_angle_limit) == LIMITS[5], 2, "all limits are told")
    every_acc = lambda: sdk.GetAllMotorMaxAccLimit().all_motor_max_acc_limit.motor[6]
    until(lambda: every_acc().max_joint_acc == ACCELERATION, 2, "all accelerations are told")
    line("limits", "6 joints, speed 300, acceleration 500")

    time.sleep(1.2)
    check(sdk.isOk(), "isOk() is false")
    line("frames/s", f"{sdk.GetCanFps():.0f}")

    check(sdk.GetArmEnableStatus() == [False] * 6, "a motor is on that nobody switched on")
    begun = time.monotonic()
    asked = 0
    while not sdk.EnablePiper():
        asked += 1
        check(time.monotonic() - begun < 3 * PATIENCE, "EnablePiper: it does not end")
        time.sleep(0.01)
    check(asked >= 2, f"enabled after {asked} requests")
    line("enable", f"{1e3 * (time.monotonic() - begun):.0f} ms, {asked} requests")

    for goal in POSES_MDEG:
        sdk.MotionCtrl_2(0x01, 0x01, 80, 0x00)
        sdk.JointCtrl(*goal)
        error = lambda: max(abs(a - b) for a, b in zip(joints(sdk), goal)) / 1e3
        took = until(lambda: error() < 0.2, 6, f"MOVE J to {goal}, now {joints(sdk)}")
        time.sleep(0.5)
        check(error() < 0.2, f"MOVE J to {goal}: {error()} deg away at rest")
        line("MOVE J", f"{took:.2f} s, {error():.3f} deg")
    status = sdk.GetArmStatus().arm_status
    check(int(status.ctrl_mode) == 1 and int(status.mode_feed) == 1, f"the mode is {status}")
    check(int(status.motion_status) == 0, "the target is reached, and the status says that it is not")

    # It works forward kinematics out for every frame: too much for most of a test.
    sdk.EnableFkCal()
    until(lambda: math.hypot(*sdk.GetFK("feedback")[5][:3]) > 1, 2, "the SDK works out FK")
    time.sleep(0.2)
    told = [value / 1e3 for value in pose(sdk)]
    mm, degrees = apart(told, sdk.GetFK("feedback")[5])
    sdk.DisableFkCal()
    check(mm < 0.05 and degrees < 0.02, f"the arm's own FK is {mm} mm, {degrees} deg from the SDK's")
    line("FK", f"{mm:.4f} mm, {degrees:.4f} deg from the SDK's")

    here = pose(sdk)
    goal = [here[0] + 30_000, here[1] - 40_000, here[2] + 20_000, here[3], here[4] - 8_000, here[5] + 6_000]
    sdk.MotionCtrl_2(0x01, 0x00, 80, 0x00)
    sdk.EndPoseCtrl(*goal)
    away = lambda: apart([v / 1e3 for v in pose(sdk)], [v / 1e3 for v in goal])
    took = until(lambda: away()[0] < 1 and away()[1] < 0.5, 6, f"MOVE P to {goal}, now {pose(sdk)}")
    time.sleep(0.5)
    check(away()[0] < 1 and away()[1] < 0.5, f"MOVE P to {goal}: {away()} away at rest")
    line("MOVE P", "{:.2f} s, {:.3f} mm, {:.3f} deg".format(took, *away()))

    sdk.EndPoseCtrl(900_000, 0, 200_000, 0, 85_000, 0)
    until(lambda: int(sdk.GetArmStatus().arm_status.arm_status) == 2, 2, "a pose out of reach has no solution")
    line("out of reach", "refused: no solution")

    sdk.MotionCtrl_2(0x01, 0x02, 50, 0x00)
    start = pose(sdk)
    goal = [start[0] - 40_000, start[1] + 60_000, *start[2:]]
    sdk.EndPoseCtrl(*goal)
    worst = 0.0

    def arrives():
        nonlocal worst
        at = pose(sdk)
        along = [b - a for a, b in zip(start[:3], goal[:3])]
        gone = [b - a for a, b in zip(start[:3], at[:3])]
        length = math.hypot(*along)
        part = sum(a * b for a, b in zip(along, gone)) / length
        worst = max(worst, math.sqrt(max(0.0, sum(v * v for v in gone) - part * part)) / 1e3)
        return away()[0] < 1 and away()[1] < 0.5

    took = until(arrives, 6, f"MOVE L to {goal}")
    check(worst < 3, f"MOVE L leaves its line by {worst} mm")
    line("MOVE L", f"{took:.2f} s, at most {worst:.1f} mm off the line")

    stroke = lambda: sdk.GetArmGripperMsgs().gripper_state.grippers_angle
    sdk.GripperCtrl(0, 1000, 0x02, 0)
    sdk.GripperCtrl(0, 1000, 0x01, 0)
    for goal in (50_000, 10_000):
        sdk.GripperCtrl(goal, 1000, 0x01, 0)
        took = until(lambda: abs(stroke() - goal) < 1_000, 3, f"the gripper to {goal} um, now {stroke()}")
        line("gripper", f"{goal / 1e3:.0f} mm in {took:.2f} s")
    check(sdk.GetArmGripperMsgs().gripper_state.foc_status.driver_enable_status, "the gripper is not enabled")

    sdk.ArmParamEnquiryAndConfig(0x04)
    told = lambda: sdk.GetGripperTeachingPendantParamFeedback().arm_gripper_teaching_param_feedback
    until(lambda: told().max_range_config == 70, 2, "the gripper's range is told")
    sdk.CrashProtectionConfig(1, 1, 1, 2, 2, 2)
    sdk.ArmParamEnquiryAndConfig(0x02)
    level = lambda: sdk.GetCrashProtectionLevelFeedback().crash_protection_level_feedback.joint_6_protection_level
    until(lambda: level() == 2, 2, "collision levels are kept")
    line("parameters", "gripper range, collision levels")

    if firmware != "S-V1.8-8":
        # The SDK speaks no MIT of newer firmware. Joint 5: its sign and its torque are the same on all that it does speak to.
        goal = joints(sdk)[4] / 1e3 - 10
        sdk.MotionCtrl_2(0x01, 0x04, 0, 0xAD)
        for _ in range(50):
            sdk.JointMitCtrl(5, math.radians(goal), 0, 60, 2, 0)
            time.sleep(0.01)
        error = lambda: abs(joints(sdk)[4] / 1e3 - goal)
        took = until(lambda: error() < 2, 3, f"MIT of joint 5 to {goal} deg, now {joints(sdk)}")
        line("MIT", f"joint 5 within {error():.2f} deg")

    height = pose(sdk)[2]
    sdk.MotionCtrl_1(0x01, 0, 0)
    until(lambda: int(sdk.GetArmStatus().arm_status.arm_status) == 1, 2, "quick stop is told")
    sunk = lambda: (height - pose(sdk)[2]) / 1e3
    took = until(lambda: sunk() > 5, 3, "after a quick stop the tool sinks")
    check(sunk() < 50, f"after a quick stop the tool sank by {sunk()} mm in {took} s")
    check(all(sdk.GetArmEnableStatus()), "a quick stop took the power")
    line("quick stop", f"sinks {sunk():.0f} mm in {took:.2f} s")

    height = pose(sdk)[2]
    sdk.MotionCtrl_1(0x02, 0, 0)
    until(lambda: not any(sdk.GetArmEnableStatus()), 2, "a reset takes the power")
    took = until(lambda: height - pose(sdk)[2] > 100_000, 3, "after a reset the arm falls")
    line("reset", f"falls 100 mm in {took:.2f} s")
    rest(sdk)

    until(sdk.EnablePiper, 3, "enabled again")
    begun = joints(sdk)
    sdk.MotionCtrl_2(0x01, 0x01, 50, 0x00)
    rest(sdk)
    jump = max(abs(a - b) for a, b in zip(joints(sdk), begun)) / 1e3
    check(jump < 1, f"enabled again it jumped by {jump} deg")
    until(lambda: not sdk.DisablePiper(), 3, "disabled")
    line("disable", "all motors off")

    counted = world.ask(do="state")
    line("bus", f"{counted['heard']} heard, {counted['said']} said, {counted['refused']} refused")
    check(counted["refused"] == 0, "the arm did not understand the SDK")
    # Its reading thread complains of the socket that was closed under it.
    logging.disable(logging.CRITICAL)
    sdk.DisconnectPort()
    world.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arm", default="target/debug/reflexd-virtual-piper", help="the virtual arm's program")
    parser.add_argument("--firmware", action="append", choices=[name for name, _ in FIRMWARES], help="only this one")
    parser.add_argument("--rate-scale", type=float, default=1.0, help="on a slow machine: how much the arm says")
    arguments = parser.parse_args()
    # python-can warns of every frame that comes in two pieces.
    logging.disable(logging.WARNING)
    try:
        # The SDK lives in the past while it cannot keep up with its frames.
        os.nice(-15)
    except OSError:
        pass

    chosen = arguments.firmware or [firmware for firmware, _ in FIRMWARES]
    if len(chosen) > 1:
        # A process each: the SDK's threads outlive its connection.
        for firmware in chosen:
            command = [sys.executable, __file__, "--arm", arguments.arm, "--firmware", firmware]
            code = subprocess.run([*command, "--rate-scale", str(arguments.rate_scale)]).returncode
            if code:
                sys.exit(code)
        print(f"check_piper_sdk: {len(chosen)} generations of firmware hold")
        return

    def line(what, found):
        print(f"{chosen[0]:10} {what:14} {found}", flush=True)

    try:
        run(arguments.arm, chosen[0], dict(FIRMWARES)[chosen[0]], arguments.rate_scale, line)
    except Failure as failure:
        print(f"check_piper_sdk: {chosen[0]}: {failure}", file=sys.stderr)
        if WORLD:
            WORLD.process.kill()
        os._exit(1)
    # Threads of the SDK wait for frames that no longer come.
    os._exit(0)


if __name__ == "__main__":
    main()
