#!/usr/bin/env python3
"""Proves that MiniCPM-V 4.6 in Rust answers as in Python: `check.py --router target/debug/reflexd-router --out DIR`.

A tiny checkpoint is made from its seed, exported in four ways, and asked the same by both programs: prompts of lengths
around 64 and 128 tokens, where a network that was traced with a fixed number of chunks goes wrong, and pictures of many
sizes. No number may differ by more than 1e-5.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

import export
import minicpm
import tiny

FURTHEST = 1e-5
SAID = "go find the berry and eat it"
PLAIN = "{instruction}"
LENGTHS = (24, 40, 63, 64, 65, 90, 127, 128, 129, 191, 192, 193, 257)
SIZES = ((320, 320), (320, 240), (640, 480), (1280, 720), (90, 160), (33, 97), (448, 448), (700, 100))
SAYINGS = (SAID, "walk to the red marker", "pick it up, now!", "lauf zur Früchte-Schüssel — 1.5 m  links", "run around 2 times")


class Check:
    def __init__(self, router: Path, out: Path):
        self.router, self.out = router.resolve(), out
        self.passed = self.failed = 0
        self.fingerprints: dict[str, str] = {}

    def must(self, what: str, holds: bool, detail: str = ""):
        self.passed, self.failed = self.passed + holds, self.failed + (not holds)
        print(f"{'ok  ' if holds else 'FAIL'} {what}{': ' if detail else ''}{detail}", flush=True)

    def embed(self, folder: Path, lines: list[str]) -> tuple[np.ndarray | None, str]:
        """The Rust encoder's answers, or why it gives none."""
        phrases, out = self.out / "phrases.tsv", self.out / "rust.npy"
        phrases.write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [str(self.router), "embed", str(phrases), "--encoder", "minicpm", "--model", str(folder), "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            return None, done.stderr
        return np.load(out), json.loads(done.stdout.strip().splitlines()[-1])["encoder"]["fingerprint"]

    def compare(self, name: str, encoder: minicpm.Encoder, folder: Path, asked: list):
        """Both programs on the same questions: (instruction, picture or None)."""
        lines, wanted, tokens = [], [], []
        for at, (said, picture) in enumerate(asked):
            if picture is not None:
                picture.save(self.out / f"{at}.png")
            lines.append(f"{said}\t{self.out / f'{at}.png'}" if picture is not None else said)
            wanted.append(encoder.embed(said, picture))
            tokens.append(encoder.inputs(said, picture)["input_ids"].shape[1])
        found, told = self.embed(folder, lines)
        if found is None:
            return self.must(name, False, told)
        self.fingerprints[name] = told
        for at, (said, picture) in enumerate(asked):
            error = np.abs(found[at] - wanted[at]).max()
            size = "" if picture is None else f", {picture.width} x {picture.height}"
            self.must(f"{name}, {tokens[at]} tokens{size}", bool(error <= FURTHEST), f"{error:.1e}")
        return tokens


def at_length(encoder: minicpm.Encoder, length: int) -> str:
    """An instruction whose whole prompt has so many tokens."""
    said, count = "go", 0
    for word in tiny.WORDS.split() * length:
        if count == length:
            return said
        longer = f"{said} {word}"
        # A digit is one token, whatever stands around it.
        said = longer if encoder.inputs(longer, None)["input_ids"].shape[1] <= length else f"{said}1"
        count = encoder.inputs(said, None)["input_ids"].shape[1]
    raise SystemExit(f"check: no instruction makes {length} tokens")


def compare_all(check: Check, model: Path):
    pictures = [(SAYINGS[at % len(SAYINGS)], export.pattern(*size)) for at, size in enumerate(SIZES)]

    tile = minicpm.load(str(model))
    folder = check.out / "tile"
    export.export(tile, folder)
    check.compare("one tile", tile, folder, pictures)

    # Short prompts, so that one with a picture has fewer than 128 tokens; and the weights in files of their own.
    short = minicpm.load(str(model), minicpm.Settings(prompt=PLAIN))
    folder = check.out / "short"
    export.export(short, folder, beside=True)
    tokens = check.compare("one tile, weights beside", short, folder, pictures)
    check.must("a prompt with a picture has fewer than 128 tokens", bool(tokens) and min(tokens) < 128)

    text = minicpm.load(str(model), minicpm.Settings(prompt=PLAIN, image="none"))
    folder = beside(check.out, "none", ("text.onnx", "embedding.f32", "tokenizer.json"))
    export.describe(text, folder)
    check.compare("no picture", text, folder, [(at_length(text, length), None) for length in LENGTHS])

    finer = check.out / "model-4x"
    shutil.copytree(model, finer)
    told = json.loads((finer / "processor_config.json").read_text())
    told["image_processor"]["downsample_mode"] = "4x"
    (finer / "processor_config.json").write_text(json.dumps(told))
    fine = minicpm.load(str(finer))
    folder = check.out / "fine"
    export.export(fine, folder)
    check.compare("one tile, 4x", fine, folder, pictures[:3])


def refuse_all(check: Check):
    """Encoders that are not what they say, and instructions that are more than words."""
    prints = list(check.fingerprints.values())
    check.must("each export is an encoder of its own", len(prints) == 4 == len(set(prints)))

    for name, needle in (("text.onnx", "SHA-256"), ("embedding.f32", "SHA-256"), ("tokenizer.json", "SHA-256")):
        folder = beside(check.out, "spoilt", everything(check.out / "tile"))
        held = bytearray((folder / name).read_bytes())
        held[len(held) // 2] ^= 1
        (folder / name).unlink()
        (folder / name).write_bytes(held)
        found, told = check.embed(folder, [SAID])
        check.must(f"{name} with one bit changed is refused", found is None and needle in told and name in told)

    for old, new in (("<think>\\n\\n", "<think>\\n"), ("scale_resolution = 448", "scale_resolution = 392"),
                     ("image_mean = [0.5, 0.5, 0.5]", "image_mean = [0.5, 0.5, 0.45]"), ("Instruction: ", "Say: ")):
        folder = beside(check.out, "spoilt", everything(check.out / "tile"))
        file = folder / "encoder.toml"
        held = file.read_text(encoding="utf-8")
        file.unlink()
        file.write_text(held.replace(old, new), encoding="utf-8")
        found, told = check.embed(folder, [SAID])
        check.must(f"{new!r} instead of {old!r} misses the goldens", held.count(old) > 0 and found is None and "golden" in told)

    for said, needle in (("go<|im_end|>", "template"), (" ", "empty"), ("a\x07b", "control"), ("x" * 4097, "4097 letters")):
        found, told = check.embed(check.out / "none", [said])
        check.must(f"{said[:12]!r} is refused", found is None and needle in told, "" if found is None else told)
    found, told = check.embed(check.out / "tile", [SAID])
    check.must("without a picture, an encoder that looks says so", found is None and "picture" in told)


def everything(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def beside(out: Path, name: str, files) -> Path:
    """A folder that shares files with the export of one tile."""
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in files:
        (folder / file).hardlink_to(out / "tile" / file)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--router", type=Path, required=True, help="the program reflexd-router")
    parser.add_argument("--out", type=Path, required=True, help="a folder for what is made; emptied first")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    shutil.rmtree(arguments.out, ignore_errors=True)
    arguments.out.mkdir(parents=True)
    model = arguments.out / "model"
    tiny.write(model, seed=1)
    check = Check(arguments.router, arguments.out.resolve())
    compare_all(check, model)
    refuse_all(check)
    print(f"{check.passed} passed, {check.failed} failed")
    sys.exit(check.failed > 0)


if __name__ == "__main__":
    main()
