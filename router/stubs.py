"""Empty CUDA libraries, so that PyTorch's wheel is imported on a machine without a GPU and without 4 GB of NVIDIA's.

PyPI's wheel of PyTorch for x86-64 is linked to NVIDIA's libraries and does not load without them, although nothing on
the processor calls them. What it wants of them is read from the wheel itself (`readelf`), and libraries with just these
names, each answering "no device", are built with the C compiler into the folder where the wheel looks for NVIDIA's own.
"""

import re
import subprocess
from pathlib import Path

# cudaErrorNoDevice. What asks first whether there is a GPU is told that there is none.
NO_DEVICE = 100
# These answer with a text.
TEXTS = {"cudaGetErrorString", "cudaGetErrorName", "cudnnGetErrorString", "ncclGetErrorString", "nvrtcGetErrorString"}


def build(site: Path) -> int:
    """Builds what the wheels in a `site-packages` miss, and tells how many libraries that is."""
    wheels = [*site.glob("torch/lib/*.so*"), *site.glob("torch/*.so"), *site.glob("torchvision/*.so")]
    wanted: dict[str, dict[str, set[str]]] = {}  # library -> version -> names
    unversioned: set[str] = set()
    defined: set[str] = set()
    for wheel in wheels:
        for library in missing(wheel, site):
            wanted.setdefault(library, {})
    for wheel in wheels:
        names, versioned, free = symbols(wheel)
        defined |= names
        unversioned |= free
        for library, version, name in versioned:
            if library in wanted:
                wanted[library].setdefault(version, set()).add(name)
    versions = {name for library in wanted.values() for names in library.values() for name in names}
    loose = unversioned - defined - versions
    folder = site / "nvidia" / "cu13" / "lib"
    folder.mkdir(parents=True, exist_ok=True)
    for at, (library, of) in enumerate(sorted(wanted.items())):
        # Whoever looks for a name without a version looks in all of them: one has those.
        compile_one(folder, library, of, loose if at == 0 else set())
    return len(wanted)


def missing(wheel: Path, site: Path) -> set[str]:
    """The libraries of NVIDIA that a wheel's library names, and that are not there."""
    dynamic = readelf("-d", wheel)
    needed = re.findall(r"\(NEEDED\).*\[(.+?)\]", dynamic)
    of_nvidia = re.compile(r"lib(cu|nv|nccl)")
    return {name for name in needed if of_nvidia.match(name) and "." + name.split(".")[1] == ".so"
            and not list(site.glob(f"nvidia/*/lib/{name}"))}


def symbols(wheel: Path) -> tuple[set[str], set[tuple[str, str, str]], set[str]]:
    """What a library defines, and what it wants: with a library and a version, or from anywhere."""
    of_version: dict[str, str] = {}
    library = ""
    for line in readelf("-V", wheel).splitlines():
        if file := re.search(r"File: (\S+)", line):
            library = file[1]
        elif name := re.search(r"Name: (\S+)\s+Flags:.*Version: \d+", line):
            of_version.setdefault(name[1], library)
    defined, versioned, free = set(), set(), set()
    for line in readelf("--dyn-syms", wheel).splitlines():
        part = line.split()
        if len(part) < 8 or part[4] not in ("GLOBAL", "WEAK"):
            continue
        name, _, version = part[7].partition("@")
        version = version.lstrip("@")
        if part[6] != "UND":
            defined.add(name)
        elif version:
            versioned.add((of_version.get(version, ""), version, name))
        elif part[4] == "GLOBAL" and re.match(r"(cu|nv|nccl)", name):
            free.add(name)
    return defined, versioned, free


def compile_one(folder: Path, library: str, versions: dict[str, set[str]], loose: set[str]):
    script, source = folder / "stub.map", folder / "stub.c"
    names = sorted(loose.union(*versions.values()))
    source.write_text("".join(answer(name) for name in names) or "int reflexd_stub;\n")
    script.write_text("".join(f"{version} {{ {' '.join(name + ';' for name in sorted(of))} }};\n"
                              for version, of in sorted(versions.items())))
    command = ["cc", "-shared", "-fPIC", "-w", "-fno-builtin", "-nostdlib", f"-Wl,-soname,{library}", str(source),
               "-o", str(folder / library)]
    if versions:
        command.append(f"-Wl,--version-script={script}")
    subprocess.run(command, check=True)
    source.unlink()
    script.unlink()


def answer(name: str) -> str:
    if name in TEXTS:
        return f'const char *{name}(void) {{ return "no GPU: this is an empty library"; }}\n'
    return f"int {name}(void) {{ return {NO_DEVICE}; }}\n"


def readelf(what: str, file: Path) -> str:
    return subprocess.run(["readelf", "-W", what, str(file)], check=True, capture_output=True, text=True).stdout
