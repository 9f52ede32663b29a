#!/usr/bin/env python3
"""Checks, in the guest, that its CAN buses are what the tests on them take for granted.

    hil-tests/qemu/run.py -- python3 hil-tests/qemu/smoke.py
"""

import errno
import socket
import struct
import subprocess
import time
import unittest

# struct can_frame: identifier with flags, length, three bytes of padding, data.
FRAME = struct.Struct("=IB3x8s")
# linux/can/raw.h: Python's own names for these are not in every build of it.
CAN_RAW_ERR_FILTER, CAN_RAW_LOOPBACK, CAN_RAW_FD_FRAMES = 2, 3, 5
# linux/can/error.h: "bus off", as a bit of an error frame's identifier.
CAN_ERR_BUSOFF = 0x40
BURST = 2000


def bus(name, errors=0, loopback=True):
    """An open socket on a bus, which gives up after a second."""
    end = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
    end.setsockopt(socket.SOL_CAN_RAW, CAN_RAW_ERR_FILTER, errors)
    end.setsockopt(socket.SOL_CAN_RAW, CAN_RAW_LOOPBACK, int(loopback))
    end.bind((name,))
    end.settimeout(1)
    return end


def frame(identifier, data=b""):
    return FRAME.pack(identifier, len(data), data)


class Buses(unittest.TestCase):
    def test_are_up(self):
        for name in ("vcan0", "vxcan0", "vxcan1"):
            self.assertIn("UP", subprocess.check_output(["ip", "link", "show", name], text=True))

    def test_carry_frames_between_sockets_and_not_back_to_the_sender(self):
        with bus("vcan0") as one, bus("vcan0") as other:
            one.send(frame(0x2A5, b"\0\1\2\3\4\5\6\7"))
            other.send(frame(0x151, b"\1"))
            self.assertEqual(other.recv(16), frame(0x2A5, b"\0\1\2\3\4\5\6\7"))
            self.assertEqual(one.recv(16), frame(0x151, b"\1"))

    def test_show_error_frames_only_to_who_asks(self):
        with bus("vcan0") as sender, bus("vcan0") as deaf, bus("vcan0", errors=CAN_ERR_BUSOFF) as told:
            bus_off = frame(socket.CAN_ERR_FLAG | CAN_ERR_BUSOFF, bytes(8))
            sender.send(bus_off)
            sender.send(frame(0x2A1))
            self.assertEqual(told.recv(16), bus_off)
            self.assertEqual(deaf.recv(16), frame(0x2A1))

    def test_take_classic_frames_only(self):
        with bus("vcan0") as sender:
            sender.setsockopt(socket.SOL_CAN_RAW, CAN_RAW_FD_FRAMES, 1)
            with self.assertRaises(OSError):
                sender.send(struct.pack("=IB3x64s", 0x2A1, 64, bytes(64)))

    def test_reach_the_other_end_of_a_pair_without_loopback(self):
        with bus("vxcan0", loopback=False) as sdk, bus("vxcan0") as neighbour, bus("vxcan1") as arm:
            sdk.send(frame(0x471, b"\7\2"))
            arm.send(frame(0x2A1))
            self.assertEqual(arm.recv(16), frame(0x471, b"\7\2"))
            self.assertEqual(neighbour.recv(16), frame(0x2A1))

    def test_can_be_unplugged(self):
        with bus("vxcan0") as end:
            subprocess.run(["ip", "link", "set", "vxcan0", "down"], check=True)
            try:
                with self.assertRaises(OSError) as refused:
                    end.send(frame(0x2A1))
                self.assertEqual(refused.exception.errno, errno.ENETDOWN)
            finally:
                subprocess.run(["ip", "link", "set", "vxcan0", "up"], check=True)

    def test_pass_on_every_frame_to_a_reader_that_keeps_up(self):
        with bus("vcan0") as sender, bus("vcan0") as reader:
            started = time.monotonic()
            for number in range(BURST):
                sender.send(frame(0x251, struct.pack(">Q", number)))
                self.assertEqual(reader.recv(16), frame(0x251, struct.pack(">Q", number)))
            print(f"{BURST / (time.monotonic() - started):.0f} frames/s through Python")


if __name__ == "__main__":
    unittest.main()
