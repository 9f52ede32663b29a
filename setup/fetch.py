#!/usr/bin/env python3
"""Puts libmujoco and libonnxruntime where the build and the daemon look for them: third_party/ of the checkout.

They come out of the official PyPI wheels that requirements-native.txt pins by version and hash. A wheel is used as an
archive here, never installed: so no root, no virtual environment, and it does not matter which Python runs this, or
whether the distribution lets pip install anything (PEP 668).

Run again, it checks the files' digests against the last set-up and returns at once. Interrupted, it leaves what was
there before: everything is unpacked aside, then moved in file by file, the stamp last.
"""

import argparse
import fcntl
import hashlib
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements-native.txt"
STAMP = "native.json"
SIZE_MB = 50

# What to take out of which wheel: folder under third_party, then patterns of names in the wheel. The library's file
# name carries its version; a link without it is what the linker (libmujoco.so) and the configuration ask for.
LIBRARIES = {
    "mujoco": ("mujoco", r"mujoco/(libmujoco\.so\.[0-9.]+)", r"mujoco-[^/]+/licenses/(LICENSE[^/]*)"),
    "onnxruntime": (
        "onnxruntime",
        r"onnxruntime/capi/(libonnxruntime\.so\.[0-9.]+)",
        r"onnxruntime/(LICENSE|ThirdPartyNotices\.txt|Privacy\.md)",
    ),
}
# What `--tensorrt` sets up instead: TensorRT-RTX with its ONNX parser, to build engines with.
TENSORRT = {
    "REQUIREMENTS": HERE / "requirements-tensorrt.txt",
    "STAMP": "tensorrt.json",
    "SIZE_MB": 95,
    "LIBRARIES": {
        "tensorrt_rtx_cu13_libs": (
            "tensorrt-rtx",
            r"tensorrt_rtx_libs/(libtensorrt_rtx\.so\.[0-9]+)",
            r"(?:tensorrt_rtx_libs|tensorrt_rtx_cu13_libs-[^/]+/licenses)/"
            r"(libtensorrt_onnxparser_rtx\.so\.[0-9]+|LICENSE\.txt)",
        ),
    },
}
# The name that the wheels use, from the names that machines use.
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
# Newest first; the wheels of one release may carry any of them.
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
# The wheels differ by Python version only in the bindings, which stay inside: one version serves every machine.
PYTHON = ("--implementation", "cp", "--python-version", "3.12", "--abi", "cp312")


class Trouble(Exception):
    """What went wrong and how to mend it, in words for the person who ran `make`."""


def main():
    arguments = parse()
    if arguments.tensorrt:
        globals().update(TENSORRT)
    into = arguments.into
    try:
        require_host(arguments.arch)
        into.mkdir(parents=True, exist_ok=True)
        with open(into / ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once: the second waits, then finds all done
            if up_to_date(into, arguments.arch):
                say(arguments, f"native libraries are in place: {into}")
                return 0
            fetch(arguments, into)
    except Trouble as trouble:
        print(f"setup: {trouble}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"setup: {error}\n  Remedy: make {into} writable, with about 150 MB free.", file=sys.stderr)
        return 1
    return 0


def parse():
    parser = argparse.ArgumentParser(description="Set up the native libraries that reflexd needs.")
    parser.add_argument("--into", type=pathlib.Path, default=HERE.parent / "third_party", metavar="DIR",
                        help="where they go (default: third_party of this checkout)")
    parser.add_argument("--arch", default=platform.machine().lower(), metavar="NAME",
                        help="x86_64 or aarch64 (default: this machine's)")
    parser.add_argument("--wheels", type=pathlib.Path, metavar="DIR",
                        help="take the wheels from this folder instead of the network")
    parser.add_argument("--tensorrt", action="store_true",
                        help="set up TensorRT-RTX (x86_64, 95 MB) instead of what every build needs")
    parser.add_argument("--quiet", action="store_true", help="say nothing when everything is in place")
    arguments = parser.parse_args()
    arguments.into = arguments.into.absolute()
    arguments.arch = ARCHITECTURES.get(arguments.arch, arguments.arch)
    return arguments


def say(arguments, text):
    if not arguments.quiet:
        print(f"setup: {text}", flush=True)


def require_host(arch):
    """Refuses early what would fail late with a puzzling message."""
    if not sys.platform.startswith("linux"):
        raise Trouble(f"reflexd runs on Linux; this is {sys.platform}.\n  Remedy: use a Linux machine or container.")
    if arch not in ARCHITECTURES.values():
        raise Trouble(f"there are no libraries for the architecture '{arch}', only for x86_64 and aarch64.\n"
                      "  Remedy: build without the feature `mujoco`, and give ORT_DYLIB_PATH your own ONNX Runtime.")
    name, version = platform.libc_ver()
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if name and (name != "glibc" or numbers < (2, 28)):
        raise Trouble(f"the libraries need glibc 2.28 or newer; this system has {name} {version}.\n"
                      "  Remedy: use Debian 10, Ubuntu 20.04 or anything newer that is built on glibc.")


def up_to_date(into, arch):
    """True if the stamp speaks of these very pins and every file still has the digest that it had then."""
    try:
        stamp = json.loads((into / STAMP).read_text(encoding="utf-8"))
        return (
            stamp["arch"] == arch
            and stamp["requirements_sha256"] == digest(REQUIREMENTS)
            and all(digest(into / name) == sha256 for name, sha256 in stamp["files"].items())
            and all(os.readlink(into / name) == target for name, target in stamp["links"].items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # never set up, or damaged: either way the answer is to do it


def digest(path):
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha256.update(block)
    return sha256.hexdigest()


def fetch(arguments, into):
    for left_over in into.glob(".staging-*"):  # of a run that was killed; the lock says that none is alive
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=into) as staging:
        staging = pathlib.Path(staging)
        source = arguments.wheels or "PyPI"
        say(arguments, f"getting {', '.join(pins())} for {arguments.arch} from {source} (about {SIZE_MB} MB)")
        download(arguments, staging / "wheels")
        stamp = {"arch": arguments.arch, "requirements_sha256": digest(REQUIREMENTS), "files": {}, "links": {}}
        for package in LIBRARIES:
            unpack(package, staging, stamp)
        install(staging, into, stamp)
    for name in stamp["links"]:
        say(arguments, f"{into / name} -> {stamp['links'][name]}")


def pins():
    return re.findall(r"^\S+==\S+", REQUIREMENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)


def download(arguments, wheels):
    platforms = [f"--platform={name}_{arguments.arch}" for name in PLATFORMS]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes",
               "--progress-bar=off", "--disable-pip-version-check", "--quiet", "--retries=3",
               *PYTHON, *platforms, "--dest", str(wheels), "--requirement", str(REQUIREMENTS)]
    if arguments.wheels:
        command += ["--no-index", f"--find-links={arguments.wheels.absolute()}"]
    # Some sites demand a virtual environment of every pip command; a download needs none.
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0"}
    result = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if result.returncode != 0:
        raise Trouble(explain(result.stdout, arguments))


def explain(output, arguments):
    """pip's last words, and the remedy for the few ways in which a download really fails."""
    said = "\n".join("    " + line for line in output.strip().splitlines()[-6:])
    if "No module named pip" in output:
        return (f"{sys.executable} has no pip.\n"
                "  Remedy: `apt-get install python3-pip`, or `python3 -m ensurepip --user`, then run this again.")
    if "HASHES" in output or "hash" in output.lower():
        remedy = (f"the wheel is not the one that setup/{REQUIREMENTS.name} pins. Do not use it: empty pip's cache\n"
                  "  (`python3 -m pip cache purge`), look at the mirror you use, and run this again.")
    elif arguments.wheels:
        remedy = f"put the wheels of {', '.join(pins())} for {arguments.arch} into {arguments.wheels}."
    elif re.search("retrying|connection|resolve|network|timed out|proxy|ssl", output, flags=re.IGNORECASE):
        remedy = ("PyPI was not reached: mend the network, set the proxy (HTTPS_PROXY) or the mirror (PIP_INDEX_URL); or\n"
                  "  get the wheels elsewhere and run `python3 setup/fetch.py --wheels FOLDER`.")
    else:
        remedy = "pip 20.3 or newer is needed (`python3 -m pip --version`); else see what it said above."
    return f"pip could not get the native libraries. It said:\n{said}\n  Remedy: {remedy}"


def unpack(package, staging, stamp):
    """Takes the library and its licence texts out of the wheel, and notes what was taken."""
    folder, library, texts = LIBRARIES[package]
    (staging / folder).mkdir()
    [wheel] = (staging / "wheels").glob(f"{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        found = [match.group(1) for match in (re.fullmatch(library, name) for name in names) if match]
        if len(found) != 1:
            raise Trouble(f"{wheel.name} has {len(found)} files like '{library}', not one.\n"
                          "  Remedy: if the pin is new, correct LIBRARIES in setup/fetch.py.")
        for name in names:
            match = re.fullmatch(library, name) or re.fullmatch(texts, name)
            if match:
                target = staging / folder / match.group(1)
                with archive.open(name) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
                    os.fchmod(sink.fileno(), 0o644)
                stamp["files"][f"{folder}/{target.name}"] = digest(target)
    stamp["links"][f"{folder}/{found[0].split('.so')[0]}.so"] = found[0]


def install(staging, into, stamp):
    """Moves everything in. A rename replaces a library at once: a daemon that runs keeps the one it has mapped."""
    for name in stamp["files"]:
        (into / name).parent.mkdir(exist_ok=True)
        os.replace(staging / name, into / name)
    for name, target in stamp["links"].items():
        (staging / "link").symlink_to(target)
        os.replace(staging / "link", into / name)
    (staging / STAMP).write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    os.replace(staging / STAMP, into / STAMP)
    for folder, library, _ in LIBRARIES.values():  # other versions would only be found by mistake
        for old in (into / folder).glob("lib*.so.*"):
            if f"{folder}/{old.name}" not in stamp["files"]:
                old.unlink()


if __name__ == "__main__":
    if sys.version_info < (3, 9):
        sys.exit("setup: Python 3.9 or newer is needed. Remedy: install it, or `make PYTHON=python3.11 ...`.")
    sys.exit(main())
