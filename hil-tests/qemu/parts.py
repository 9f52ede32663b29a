"""What the guest is made of: Debian's generic kernel and its static busybox, taken as archives and never installed.

They are put into third_party/qemu/PACKAGE/: of the kernel, the image and a dozen modules. Its package is found by the
name that the distribution's meta package gives it today, so point releases change nothing here. The cloud kernel will
not do: it has no CAN modules. Nothing here is fetched twice; `rm -r third_party/qemu` makes way for newer ones.
"""

import lzma
import pathlib
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile

PLACE = pathlib.Path(__file__).resolve().parents[2] / "third_party" / "qemu"
META_PACKAGE = "linux-image-amd64"
# What the guest loads; what these depend on comes along.
MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay", "can_raw", "vcan", "vxcan")
# Where these are, in the kernel's package and in what a kernel calls them; the rest is graphics, sound and network cards.
WANTED = re.compile(r"/drivers/net/can/[^/]*$|/drivers/net/can/dev/|virtio|9p|/net/can/|overlay|netfs|fscache")
IMAGE = "kernel"
# The modules' names, in the order in which they are to be loaded.
ORDER = "modules.txt"


class Absent(Exception):
    """Something that the guest needs cannot be had on this machine: which, and how to get it."""


def qemu():
    """Where QEMU is. It is the one part that has to be installed."""
    if platform.machine() != "x86_64":
        raise Absent(f"there is no guest for {platform.machine()} yet, only for x86_64")
    found = shutil.which("qemu-system-x86_64")
    if not found:
        remedy = "apt-get install --no-install-recommends qemu-system-x86"
        raise Absent(f"qemu-system-x86_64 is not installed. Remedy: {remedy}")
    return found


def busybox():
    """A busybox that needs no libraries: it is all there is before this machine's files are mounted."""
    return kept("busybox-static", lambda: "busybox-static", "1 MB", take_busybox) / "busybox"


def kernel():
    """The folder with the kernel, its modules and their order."""
    return kept("linux-image-*", kernel_package, "70 MB", take_kernel)


def kernel_package():
    """The package that the meta package stands for today."""
    found = re.search(r"Depends: (linux-image-\S+)", asked("apt-cache", "depends", META_PACKAGE))
    if not found:
        raise Absent(f"apt knows no {META_PACKAGE}. Remedy: apt-get update")
    return found[1]


def kept(pattern, package, size, take):
    """The folder of a package, fetched unless there is one; apt checks the signature of what it downloads."""
    for folder in sorted(PLACE.glob(pattern)):
        return folder
    if not all(shutil.which(name) for name in ("apt-cache", "apt-get", "dpkg-deb")):
        raise Absent("the guest is made of Debian's packages, and this system has no apt")
    name = package()
    print(f"qemu: fetching {name} for the guest ({size}, once)", flush=True)
    PLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE, prefix=".fetching-") as aside:
        # As root, apt would rather download as a user who may not write here, and says so at length.
        asked("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name, cwd=aside)
        archive = next(pathlib.Path(aside).glob("*.deb"), None)
        if archive is None:
            raise Absent(f"apt-get downloaded no {name}")
        into = pathlib.Path(aside) / name
        into.mkdir()
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as stream:
            with tarfile.open(fileobj=stream.stdout, mode="r|") as files:
                take(((file.name, files.extractfile(file)) for file in files if file.isfile()), into)
        # Two at once: the second one's is as good as the first's.
        if not (PLACE / name).exists():
            into.rename(PLACE / name)
    return PLACE / name


def take_busybox(files, into):
    """Takes the one program that there is."""
    for name, file in files:
        if name.endswith("bin/busybox"):
            (into / "busybox").write_bytes(file.read())
            (into / "busybox").chmod(0o755)


def take_kernel(files, into):
    """Takes the image and the modules, in one pass over 400 MB."""
    modules = {}
    for name, file in files:
        base = name.rsplit("/", maxsplit=1)[-1]
        if base.startswith("vmlinuz-"):
            (into / IMAGE).write_bytes(bare(file.read()))
        elif base.endswith((".ko", ".ko.xz")) and WANTED.search(name):
            module = lzma.decompress(file.read()) if base.endswith(".xz") else file.read()
            modules[base.split(".")[0].replace("-", "_")] = module
    absent = [name for name in MODULES if name not in modules]
    if absent or not (into / IMAGE).exists():
        raise Absent(f"{into.name} lacks {', '.join(absent) or 'an image'}: it is not the generic kernel")
    order = []
    for name in MODULES:
        put_in_order(name, modules, order)
    for name in order:
        (into / f"{name}.ko").write_bytes(modules[name])
    (into / ORDER).write_text("".join(f"{name}\n" for name in order), encoding="ascii")


def bare(image):
    """The kernel without its wrapping, which the guest would take three seconds to undo; else the image as it is."""
    at = image.find(b"\xfd7zXZ\0")
    if at >= 0:
        plain = lzma.LZMADecompressor().decompress(image[at:])
        # QEMU starts an ELF kernel by a note for Xen, which carries that name.
        if plain.startswith(b"\x7fELF") and b"Xen\0" in plain:
            return plain
    return image


def put_in_order(name, modules, order):
    """Appends a module after those that it names as its needs, in its section .modinfo."""
    if name in order or name not in modules:  # not there: this kernel has it built in
        return
    found = re.search(rb"\0depends=([^\0]*)\0", modules[name])
    for need in filter(None, found[1].decode().split(",") if found else ()):
        put_in_order(need.replace("-", "_"), modules, order)
    order.append(name)


def asked(*command, cwd=None):
    """What a command of the package manager says; its refusal is an absence."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
        raise Absent(f"{command[0]} failed: {last}. Remedy: apt-get update, and try again")
    return done.stdout
