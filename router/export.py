#!/usr/bin/env python3
"""Writes MiniCPM-V 4.6 as ONNX, for robots without Python: `export.py --model DIR --to FOLDER`.

The folder holds `vision.onnx`, `text.onnx`, the embedding table, the tokenizer and `encoder.toml`, which has everything
else: the template around an instruction, what is done to a picture, the digest of each file, and golden answers of
transformers itself, by which the encoder is proved before it is used. One picture is one tile; `--image none` leaves
pictures out.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer

import graphs
import minicpm

SCHEMA = "reflex.encoder.v1"
# Stands where the instruction stands, to find out what the template puts around it.
PROBE = "zebra"
# Both sides of 64 and 128 tokens in their texts; pictures that are wide, high, small and square.
GOLDENS = [
    ("pick up the berry", (320, 320)),
    ("go find the berry and eat it, then run around the marker twice and come back to where you are now", (640, 480)),
    ("walk to the red marker", (90, 160)),
]


def export(encoder: minicpm.Encoder, folder: Path, beside: bool = False):
    """The whole folder."""
    folder.mkdir(parents=True, exist_ok=True)
    graphs_of(encoder, folder, beside)
    describe(encoder, folder)


def graphs_of(encoder: minicpm.Encoder, folder: Path, beside: bool):
    """What is in common to every prompt: the networks, the table and the tokenizer."""
    model = encoder.network.model
    if encoder.settings.image != "none":
        graphs.export_vision(model, condensed(encoder), folder / "vision.onnx", beside)
    graphs.export_text(model, folder / "text.onnx", beside)
    model.language_model.embed_tokens.weight.detach().float().numpy().astype("<f4").tofile(folder / "embedding.f32")
    tokenizer = Tokenizer.from_str(encoder.processor.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_padding()  # which the processor has set for batches
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"))


def describe(encoder: minicpm.Encoder, folder: Path):
    """Writes `encoder.toml` and the goldens."""
    settings, image = encoder.settings, encoder.parts["image"]
    if settings.image == "slices" or settings.processor != "pil" or settings.dtype != "float32":
        raise minicpm.Refused("an export is of one tile, Pillow's arithmetic and float32. Remedy: leave those options out.")
    goldens(encoder, folder)
    lines = [
        "# Written by router/export.py. Every byte counts: the encoder's fingerprint is taken of this file.",
        f"schema = {text(SCHEMA)}",
        f"name = {text(minicpm.NAME)}",
        f"prompt = {text(settings.prompt)}",
        f"made_from = {text(encoder.identity['fingerprint'])}  # the same in transformers",
        f"made_with = {text(json.dumps(encoder.parts['runtime']['packages'], sort_keys=True))}",
        f"instruction_max = {minicpm.INSTRUCTION_MAX}",
        "",
        "[files]  # and their SHA-256",
    ]
    names = ["text.onnx", "embedding.f32", "tokenizer.json", "goldens.f32"]
    names += ["vision.onnx"] if settings.image != "none" else []
    names += [f"{name}.data" for name in names if (folder / f"{name}.data").exists()]
    lines += [f"{text(name)} = {text(minicpm.digest(folder / name))}" for name in names]
    lines += ["", "[template]  # before, the picture's tokens, behind, the instruction, after"]
    lines += [f"{key} = {value if key == 'image_token' else text(value)}" for key, value in template(encoder).items()]
    lines += [f"refused = [{', '.join(text(token) for token in encoder.special)}]"]
    if settings.image != "none":
        lines += ["", "[image]"]
        for key in ("patch_size", "scale_resolution", "rescale_factor", "image_mean", "image_std"):
            lines.append(f"{key} = {json.dumps(image[key])}")
        lines.append(f"condensed = {json.dumps(condensed(encoder))}  # downsample_mode is 16x, not 4x")
        lines.append(f"boundaries = {json.dumps(graphs.boundaries(encoder.network.model))}")
    for instruction, size in GOLDENS:
        lines += ["", "[[golden]]", f"instruction = {text(instruction)}", f"image = {json.dumps(list(size))}"]
    (folder / "encoder.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def template(encoder: minicpm.Encoder) -> dict:
    """The prompt in pieces, proved to be all there is to it."""
    tokenizer, with_image = encoder.processor.tokenizer, encoder.settings.image != "none"
    rendered = encoder.render(PROBE, with_image)
    if rendered.count(PROBE) != 1:
        raise minicpm.Refused("the chat template does not say the instruction once: it cannot be exported")
    before, after = rendered.split(PROBE)
    pieces = {"before": before, "image_token": -1, "behind": "", "after": after}
    if with_image:
        token, processor = encoder.processor.image_token, encoder.processor
        if before.count(token) != 1:
            raise minicpm.Refused("the chat template does not show the picture once, before the instruction")
        head, behind = before.split(token)
        number = f"{processor.image_id_start_token}0{processor.image_id_end_token}"
        head += (number if processor.default_use_image_id else "") + processor.image_start_token
        pieces |= {"before": head, "behind": processor.image_end_token + behind, "image_token": processor.image_token_id}
    for instruction in (PROBE, "go, find it!", "1.5 m  left", "geh zur Früchte-Schüssel", *(text for text, _ in GOLDENS)):
        picture = pattern(320, 240) if with_image else None
        wanted = encoder.inputs(instruction, picture)["input_ids"][0].tolist()
        count = wanted.count(pieces["image_token"])
        said = minicpm.plain(instruction, encoder.special)
        image = encoder.processor.image_token * count if with_image else ""
        whole = pieces["before"] + image + pieces["behind"] + said + pieces["after"]
        if tokenizer(whole)["input_ids"] != wanted:
            raise minicpm.Refused(f"the chat template is not what it seems for {instruction!r}: it cannot be exported")
    return pieces


def goldens(encoder: minicpm.Encoder, folder: Path):
    with_image = encoder.settings.image != "none"
    rows = [encoder.embed(text, pattern(*size) if with_image else None) for text, size in GOLDENS]
    np.stack(rows).astype("<f4").tofile(folder / "goldens.f32")


def pattern(width: int, height: int) -> Image.Image:
    """A picture with edges and slopes that both programs can make: the same integers as in `src/encoder/minicpm.rs`."""
    y, x, channel = np.indices((height, width, 3))
    return Image.fromarray(((7 * x + 13 * y + 29 * channel + (x * y) // 16) % 256).astype(np.uint8))


def condensed(encoder: minicpm.Encoder) -> bool:
    return encoder.processor.image_processor.downsample_mode != "4x"


def text(value: str) -> str:
    """As TOML writes it, which is as JSON does for what stands here."""
    return json.dumps(value, ensure_ascii=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a checkpoint's folder, or its name on the hub")
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--prompt", type=Path, metavar="FILE", help="what the user's turn says, with {instruction} in it")
    parser.add_argument("--image", choices=["tile", "none"], default="tile")
    parser.add_argument("--weights-beside", action="store_true", help="weights in files of their own, however small")
    arguments = parser.parse_args()
    prompt = arguments.prompt.read_text(encoding="utf-8").strip() if arguments.prompt else minicpm.PROMPT
    try:
        encoder = minicpm.load(arguments.model, minicpm.Settings(prompt=prompt, image=arguments.image))
        export(encoder, arguments.to, arguments.weights_beside)
    except (minicpm.Refused, OSError) as error:
        sys.exit(f"export: {error}")
    print(json.dumps({"folder": str(arguments.to), "made_from": encoder.identity}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
