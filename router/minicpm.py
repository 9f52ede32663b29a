"""MiniCPM-V 4.6 as an encoder: an instruction and a picture become 1024 numbers.

The numbers are the mean of the language model's last hidden state over every token of the prompt: instruction, picture
and the template's own. The state is taken behind the final norm and is not brought to length one. Everything that shapes
them goes into the fingerprint, by which a head knows the encoder that it was trained with.
"""

import hashlib
import importlib.metadata
import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor

# Of this file and what it computes: a change of the numbers is a new version, and so another fingerprint.
VERSION = 1
NAME = "minicpm"
WIDTH = 1024
INSTRUCTION_MAX = 4096
# What the user's turn says; the checkpoint's own chat template stands around it.
PROMPT = (
    "You are the router of a robot. Look at what its camera sees and at what its operator says, and decide what it "
    "should do.\nInstruction: {instruction}"
)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# What the image processor does to a picture, in the order of its own settings.
IMAGE_SETTINGS = (
    "do_convert_rgb",
    "do_normalize",
    "do_rescale",
    "do_resize",
    "downsample_mode",
    "image_mean",
    "image_std",
    "max_slice_nums",
    "patch_size",
    "resample",
    "rescale_factor",
    "scale_resolution",
    "slice_mode",
    "use_image_id",
)


class Refused(ValueError):
    """Why something cannot be encoded, or a model cannot be an encoder, with the remedy."""


@dataclass(frozen=True)
class Settings:
    """What is chosen about the encoder; all of it is in the fingerprint."""

    prompt: str = PROMPT
    # "tile": one picture, brought to one tile. "slices": as many tiles as the checkpoint's processor makes of it.
    # "none": the instruction alone.
    image: str = "tile"
    # Pillow's arithmetic is the one that the Rust encoder repeats to the bit; torchvision's differs by up to 2 of 255.
    processor: str = "pil"
    dtype: str = "float32"
    device: str = "cpu"
    attention: str = "sdpa"


def load(model: str, settings: Settings = Settings()) -> "Encoder":
    """Loads a checkpoint: a folder, or the name of one in the local cache or on the hub."""
    if settings.prompt.count("{instruction}") != 1:
        raise Refused("the prompt must name {instruction} once. Remedy: correct --prompt.")
    folder = locate(model)
    processor = AutoProcessor.from_pretrained(folder)
    # Of pictures alone: there is no video processor without torchvision.
    processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend=settings.processor)
    # Of the backend that was asked for, or of none: transformers would fall back with a warning.
    if processor.image_processor.__class__.__name__.endswith("Pil") != (settings.processor == "pil"):
        raise Refused(f"the image processor `{settings.processor}` is not installed. Remedy: pip install -r requirements.txt")
    network = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=DTYPES[settings.dtype], attn_implementation=settings.attention
    )
    width = network.config.text_config.hidden_size
    if width != WIDTH:
        raise Refused(f"{folder / 'config.json'}: text_config.hidden_size: {width}: heads see {WIDTH} numbers")
    return Encoder(folder, network.to(settings.device).eval(), processor, settings)


def locate(model: str) -> Path:
    """The folder of a checkpoint. A name that is no folder is asked of the hub, once; then it is in the cache."""
    folder = Path(model)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise Refused(f"{folder} has no config.json. Remedy: give --model a checkpoint's folder.")
        return folder
    if folder.is_absolute() or model.startswith("."):
        raise Refused(f"{folder} is not there. Remedy: give --model a checkpoint's folder or its name on the hub.")
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(model, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.txt"]))


class Encoder:
    """A loaded checkpoint, ready to encode one instruction and one picture at a time."""

    def __init__(self, folder: Path, network, processor, settings: Settings):
        self.folder, self.network, self.processor, self.settings = folder, network, processor, settings
        self.image_options = {} if settings.image == "slices" else {"max_slice_nums": 1}
        self.special = special_tokens(processor.tokenizer)
        self.parts = parts(self)
        self.identity = {"name": NAME, "prompt": settings.prompt, "fingerprint": fingerprint(self.parts)}

    @torch.inference_mode()
    def embed(self, instruction: str, image: Image.Image | None) -> np.ndarray:
        """The 1024 numbers."""
        inputs = self.inputs(instruction, image).to(self.network.device)
        # The base model: the same hidden state as `output_hidden_states=True` has last, without the 248,000 logits.
        # How far pictures are condensed is the processor's word: it has put in as many tokens as it means.
        options = {"use_cache": False, "downsample_mode": self.processor.image_processor.downsample_mode}
        hidden = self.network.model(**inputs, **options).last_hidden_state.float()
        mask = inputs["attention_mask"][..., None]
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp_min(1)
        numbers = mean[0].cpu().numpy()
        if not np.isfinite(numbers).all():
            raise Refused(f"the encoder answered a number that is not finite for {instruction!r}")
        return numbers

    def inputs(self, instruction: str, image: Image.Image | None):
        """Ids and pixels, as the checkpoint's own processor and chat template make them."""
        text = self.render(plain(instruction, self.special), self.settings.image != "none")
        if self.settings.image == "none":
            return self.processor(text=[text], return_tensors="pt")
        if image is None:
            raise Refused("there is no picture yet. Remedy: publish the camera, or run with --image none.")
        return self.processor(text=[text], images=[image.convert("RGB")], return_tensors="pt", **self.image_options)

    def render(self, instruction: str, with_image: bool) -> str:
        """The whole prompt, with one token where the picture goes."""
        content = [{"type": "image"}] if with_image else []
        content.append({"type": "text", "text": self.settings.prompt.replace("{instruction}", instruction)})
        turns = [{"role": "user", "content": content}]
        return self.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)


def plain(instruction: str, special: list[str]) -> str:
    """An instruction without spaces too many. What could be taken for the template's own words is refused."""
    text = " ".join(instruction.split())
    if not text:
        raise Refused("the instruction is empty")
    if len(text) > INSTRUCTION_MAX:
        raise Refused(f"the instruction has {len(text)} letters, more than {INSTRUCTION_MAX}")
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise Refused("the instruction has a control character in it")
    for token in special:
        if token in text:
            raise Refused(f"the instruction has {token!r} in it, which is a word of the model's template")
    return text


def special_tokens(tokenizer) -> list[str]:
    """The texts that the tokenizer takes for one token each, whatever stands around them."""
    return sorted(token.content for token in tokenizer.added_tokens_decoder.values() if token.content.strip())


def parts(encoder: Encoder) -> dict:
    """Everything that shapes the numbers."""
    settings, processor, folder = encoder.settings, encoder.processor, encoder.folder
    image = {"mode": settings.image}
    packages = ["torch", "transformers", "tokenizers"]
    if settings.image != "none":
        told = {**processor.image_processor.to_dict(), **encoder.image_options}
        image |= {"processor": settings.processor, **{key: told.get(key) for key in IMAGE_SETTINGS}}
        packages += ["pillow"] if settings.processor == "pil" else ["pillow", "torchvision"]
    return {
        "encoder": NAME,
        "version": VERSION,
        "runtime": {
            "name": "transformers",
            "device": torch.device(settings.device).type,
            "dtype": settings.dtype,
            "attention": settings.attention,
            "packages": {name: version(name) for name in sorted(packages)},
            # Kernels that take over where they are installed, and round otherwise.
            "kernels": {name: version(name) for name in ("causal-conv1d", "flash-linear-attention", "flash-attn", "kernels")},
        },
        "config": configuration(encoder.network.config),
        "weights": {file.name: digest(file) for file in sorted(folder.glob("*.safetensors"))},
        "tokenizer": text_digest(processor.tokenizer.backend_tokenizer.to_str()),
        # As the processor has it, wherever the checkpoint keeps it.
        "template": processor.chat_template or processor.tokenizer.chat_template,
        "prompt": settings.prompt,
        "image": image,
    }


def configuration(config) -> dict:
    """A model's configuration without what only tells where it comes from."""
    told = config.to_dict()
    forget = {"_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype", "use_cache"}

    def without(value):
        if isinstance(value, dict):
            return {key: without(inner) for key, inner in value.items() if key not in forget}
        return value

    return without(told)


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def fingerprint(told: dict) -> str:
    return text_digest(json.dumps(told, sort_keys=True, ensure_ascii=True, separators=(",", ":")))


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def digest(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
