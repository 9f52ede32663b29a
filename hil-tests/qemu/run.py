#!/usr/bin/env python3
"""Runs a command of this machine in a small virtual machine that has real SocketCAN buses.

    hil-tests/qemu/run.py -- ip link show vcan0
    hil-tests/qemu/run.py --env REFLEX_VCAN=vcan0 -- target/debug/deps/reflex-0123 --ignored socketcan
    hil-tests/qemu/run.py --share out -- target/debug/reflexd eval --episodes 2 --out out/eval
    cargo --config 'target."cfg(unix)".runner = ["hil-tests/qemu/run.py", "--tests", "--"]' test -p reflex --lib

The guest sees all of this machine's files in the same places (but for /run) and starts in this folder: programs,
libraries, Python and the checkout are the same ones. What it writes is lost, but for the folders named by --share. It
has the buses `vcan0`, and `vxcan0` wired to `vxcan1`, and no network but its own loopback.

The processor is emulated (TCG): native code is 2 to 4 times slower in whole numbers, 5 to 20 times in fractions. So
what has to keep time wants --steady: the guest sees a processor of 10^9 instructions a second whatever else this machine
is doing, and a busy second of it lasts about three of ours.

Exit code: the command's; 77 if QEMU or a kernel cannot be had here; 124 if the time was up; 125 if the guest came to
nothing.
"""

import argparse
import contextlib
import ctypes
import os
import pathlib
import secrets
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import parts

SKIPPED, TIME_UP, NO_GUEST = 77, 124, 125
HERE = pathlib.Path(__file__).resolve().parent
# What the command finds of this machine's environment; cargo's is for test programs that it starts through this script.
ENVIRONMENT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "MUJOCO_GL", "PYTHONPATH")
ENVIRONMENT_PREFIXES = ("CARGO_", "REFLEX", "RUST_")
# How long the guest's last words may take once its exit code is there.
DRAIN_S = 10
# Steps of doing nothing between two looks at the clock: a second of nothing lasts about half a second on a quiet machine.
IDLE_STEPS = 8


def main():
    arguments = parse()
    try:
        qemu, busybox, kernel = parts.qemu(), parts.busybox(), parts.kernel()
    except parts.Absent as absent:
        print(f"qemu: skipped, no guest: {absent}", file=sys.stderr)
        return SKIPPED
    if arguments.tests and not has_tests(arguments.command):
        return 0
    # An end by a signal is an end like any other: the guest goes with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="reflex-qemu-") as folder:
        guest = Guest(pathlib.Path(folder), arguments)
        guest.pack(busybox, kernel)
        try:
            return guest.run(qemu, kernel / parts.IMAGE)
        except KeyboardInterrupt:
            return 128 + signal.SIGINT


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n", maxsplit=1)[0],
        epilog=__doc__.split("\n\n", maxsplit=1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable for the command")
    parser.add_argument(
        "--share", action="append", default=[], metavar="FOLDER", help="what is written there stays; made if need be"
    )
    parser.add_argument("--limit", type=float, default=600, metavar="SECONDS", help="for all of it (default: 600)")
    parser.add_argument("--cpus", type=int, default=1, help="default: 1")
    parser.add_argument("--memory", type=int, default=2048, metavar="MB", help="default: 2048")
    parser.add_argument(
        "--steady", action="store_true", help="let the guest's clock count its instructions, one a nanosecond"
    )
    parser.add_argument(
        "--tests", action="store_true", help="for a Rust test program: no guest if none of its tests is asked for"
    )
    parser.add_argument("--times", action="store_true", help="say how long the guest took to boot and to run")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    arguments = parser.parse_args()
    for setting in arguments.env:
        if "=" not in setting:
            parser.error(f"--env {setting}: say NAME=VALUE")
    if arguments.steady and arguments.cpus > 1:
        parser.error("--steady: instructions are counted on one processor")
    for folder in arguments.share:
        if any(letter in str(pathlib.Path(folder).resolve()) for letter in " \t\n,"):
            parser.error(f"--share {folder}: a name with spaces or commas cannot be passed on")
    return arguments


def has_tests(command):
    """Whether a test program would run anything; what does not answer that is run."""
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True, check=False)
    return listed.returncode or ": test" in listed.stdout


class Guest:
    """One virtual machine, from its first file to its last word."""

    def __init__(self, folder, arguments):
        self.folder, self.arguments = folder, arguments
        self.shared = [pathlib.Path(name).resolve() for name in arguments.share]
        self.end_mark = f"<end of output {secrets.token_hex(8)}>"

    def pack(self, busybox, kernel):
        """Writes the files that the guest starts from: busybox, modules, and what it is to do."""
        settings = f"shared={shlex.quote(' '.join(map(str, self.shared)))}\nend_mark={shlex.quote(self.end_mark)}\n"
        files = {"init": (HERE / "init.sh").read_bytes(), "bin/busybox": busybox.read_bytes()}
        files |= {f"modules/{file.name}": file.read_bytes() for file in kernel.iterdir() if file.name != parts.IMAGE}
        if self.arguments.steady:
            files["bin/idle"] = idler()
        files |= {"job/settings": settings.encode(), "job/command": self.script().encode()}
        (self.folder / "initramfs").write_bytes(cpio(files))

    def script(self):
        """The command, its environment and its folder, as a shell script."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in ENVIRONMENT or name.startswith(ENVIRONMENT_PREFIXES)
        }
        environment |= dict(setting.split("=", 1) for setting in self.arguments.env)
        environment["PATH"] = environment.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin:/run/guest/bin"
        lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items() if name.isidentifier()]
        lines += [f"cd {shlex.quote(os.getcwd())} || exit {NO_GUEST}", f"exec {shlex.join(self.arguments.command)}"]
        return "\n".join(lines) + "\n"

    def machine(self, qemu, image, ports):
        """QEMU's command line; `ports` are the ends to write to of the pipes that the guest's ports lead to."""
        line = [qemu, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
        line += ["-machine", "pc", "-accel", "tcg", "-cpu", "max"]
        if self.arguments.steady:
            # One nanosecond an instruction.
            line += ["-icount", "shift=0,sleep=on", "-rtc", "clock=vm"]
        line += ["-smp", str(self.arguments.cpus), "-m", str(self.arguments.memory)]
        line += ["-kernel", image, "-initrd", self.folder / "initramfs"]
        line += ["-append", "console=ttyS0 quiet panic=-1 preempt=full mitigations=off"]
        line += ["-serial", f"file:{self.folder / 'console'}"]
        shares = [("host", "/", ",readonly=on")]
        for number, folder in enumerate(self.shared):
            folder.mkdir(parents=True, exist_ok=True)
            shares.append((f"shared{number}", folder, ""))
        for tag, folder, extra in shares:
            line += ["-fsdev", f"local,id={tag},path={folder},security_model=none,multidevs=remap{extra}"]
            line += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        line += ["-device", "virtio-serial-pci"]
        for number, port in enumerate(ports, start=1):
            line += ["-chardev", f"file,id=port{number},path=/dev/fd/{port}"]
            line += ["-device", f"virtserialport,chardev=port{number},nr={number},name=port{number}"]
        return line

    def run(self, qemu, image):
        """Boots, passes on what the command says, and returns its exit code; the guest is gone afterwards."""
        started = time.monotonic()
        pipes = [os.pipe() for _ in range(3)]
        ends = [end for _, end in pipes]
        machine = subprocess.Popen(
            self.machine(qemu, image, ends), stdin=subprocess.DEVNULL, pass_fds=ends, preexec_fn=die_with_parent
        )
        for end in ends:
            os.close(end)
        out, errors, code = (open(start, "rb", buffering=0) for start, _ in pipes)
        mark = self.end_mark.encode()
        readers = [
            threading.Thread(target=pass_on, args=(stream, sink.buffer, mark), daemon=True)
            for stream, sink in ((out, sys.stdout), (errors, sys.stderr))
        ]
        answer = []
        readers.append(threading.Thread(target=lambda: answer.append(code.read(16)), daemon=True))
        try:
            for reader in readers:
                reader.start()
            # The code comes last; QEMU's own end closes the pipes as well.
            readers[-1].join(self.arguments.limit)
            if readers[-1].is_alive():
                print(f"qemu: time is up after {self.arguments.limit:g} s; the guest is switched off", file=sys.stderr)
                return TIME_UP
            for reader in readers[:2]:
                reader.join(DRAIN_S)
        finally:
            machine.kill()
            machine.wait()
        if self.arguments.times:
            print(f"qemu: {time.monotonic() - started:.1f} s from start to end", file=sys.stderr)
        if answer[0].strip().isdigit():
            return int(answer[0])
        console = (self.folder / "console").read_text(errors="replace") if (self.folder / "console").exists() else ""
        print("qemu: the guest ended before the command did. Its last words:", file=sys.stderr)
        print("\n".join(console.splitlines()[-25:]), file=sys.stderr)
        return NO_GUEST


def pass_on(stream, sink, mark):
    """Copies what the guest says as it comes, up to the end mark."""
    held = b""
    while chunk := stream.read(65536):
        held += chunk
        at = held.find(mark)
        # What may be the beginning of the mark waits for the rest of it.
        keep = next((k for k in range(min(len(mark) - 1, len(held)), 0, -1) if held.endswith(mark[:k])), 0)
        ready = held[:at] if at >= 0 else held[: len(held) - keep]
        write(sink, ready)
        if at >= 0:
            return
        held = held[len(ready) :]
    write(sink, held)


def write(sink, content):
    """Writes at once. A reader that has gone away does not keep the guest waiting."""
    with contextlib.suppress(BrokenPipeError):
        sink.write(content)
        sink.flush()


def die_with_parent():
    """Whatever ends this script, QEMU does not outlive it."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def idler():
    """A program that does nothing, whenever the guest has nothing to do: a clock that counts instructions needs some.

    Without it, QEMU lets the guest's time pass as ours while the guest waits, and wakes it as late as this machine pleases.
    """
    sched_setscheduler, sched_idle = 144, 5
    code = b"\xb8" + struct.pack("<I", sched_setscheduler)  # mov eax, ..
    code += b"\x31\xff\xbe" + struct.pack("<I", sched_idle)  # xor edi, edi; mov esi, ..
    code += b"\x6a\x00\x48\x89\xe2\x0f\x05"  # push 0; mov rdx, rsp; syscall
    nothing = b"\x90" * IDLE_STEPS
    code += nothing + b"\xe9" + struct.pack("<i", -len(nothing) - 5)  # jmp to the first of them
    base, head = 0x400000, 64 + 56
    size = head + len(code)
    elf = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)
    return elf + code


def cpio(files):
    """An archive as the kernel unpacks it (newc), with the folders that the files stand in."""
    folders = {str(parent) for name in files for parent in pathlib.PurePosixPath(name).parents if parent.name}
    entries = [(name, 0o40755, b"") for name in sorted(folders)]
    entries += [(name, 0o100755, content) for name, content in files.items()]
    entries.append(("TRAILER!!!", 0, b""))
    pieces = []
    for number, (name, mode, content) in enumerate(entries, start=1):
        label = name.encode() + b"\0"
        numbers = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(label), 0)
        head = b"070701" + b"".join(b"%08X" % value for value in numbers) + label
        pieces += [head, bytes(-len(head) % 4), content, bytes(-len(content) % 4)]
    return b"".join(pieces)


if __name__ == "__main__":
    sys.exit(main())
