#!/usr/bin/env python3
"""Writes a checkpoint of MiniCPM-V 4.6's architecture that is tiny and knows nothing: `tiny.py DIR [--seed 1]`.

It has every part of the real one, small: the vision tower with its window merger, three layers of Gated DeltaNet and one
of attention, a byte-pair tokenizer with the same special tokens, a chat template with a thinking preamble. What it
answers means nothing; that two programs answer the same does. It is loaded by the code that loads the real one.
"""

import argparse
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    MiniCPMV4_6Config,
    MiniCPMV4_6ForConditionalGeneration,
    MiniCPMV4_6ImageProcessor,
    MiniCPMV4_6Processor,
    MiniCPMV4_6VideoProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.qwen3_5.tokenization_qwen3_5 import PRETOKENIZE_REGEX

# The attributes by which the processor knows its tokens.
NAMED = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "image_start_token": "<image>",
    "image_end_token": "</image>",
    "slice_start_token": "<slice>",
    "slice_end_token": "</slice>",
    "image_id_start_token": "<image_id>",
    "image_id_end_token": "</image_id>",
}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", *NAMED.values()]
# So that most tokens are longer than a letter, as a real one's are.
WORDS = (
    "the and you are a robot router look at what its camera sees operator says decide should do instruction go to find "
    "berry eat it pick up walk run around table hand left right please then now red marker circle twice slowly user "
    "assistant"
)
TEMPLATE = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.content is string %}{{ message.content }}"
    "{%- else %}{% for part in message.content %}"
    "{%- if part.type == 'image' %}{{ '<|image_pad|>\\n' }}{% elif part.type == 'text' %}{{ part.text }}{% endif %}"
    "{%- endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking %}{{ '<think>\\n' }}"
    "{%- else %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, the pieces of a few words, and the special tokens; the real one's pipeline."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: at for at, letter in enumerate(letters)}
    merges = []
    for word in WORDS.split():
        pairs = [(word[:end], word[end]) for end in range(1, len(word))]
        for left, right in [*pairs, ("Ġ", word)]:
            if left + right not in vocabulary:
                vocabulary[left + right] = len(vocabulary)
                merges.append((left, right))
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    core.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated")
    core.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=NAMED,
        model_input_names=["input_ids", "attention_mask"],
    )


def config(tokens: PreTrainedTokenizerFast) -> MiniCPMV4_6Config:
    return MiniCPMV4_6Config(
        text_config={
            "model_type": "qwen3_5_text",
            "vocab_size": len(tokens),
            # What heads see; the rest is as small as it may be.
            "hidden_size": 1024,
            "intermediate_size": 64,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 64,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e7,
                "partial_rotary_factor": 0.25,
                "mrope_section": [3, 3, 2],
                "mrope_interleaved": True,
            },
            "tie_word_embeddings": True,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "patch_size": 14,
            "image_size": 980,
        },
        insert_layer_id=1,
        image_token_id=tokens.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokens.convert_tokens_to_ids("<|video_pad|>"),
        tie_word_embeddings=True,
    )


def draw(network: torch.nn.Module, seed: int):
    """Weights large enough that each of them shows in the answer: at the usual 0.02 most of a tiny network is silent; and
    not larger, since a network that is sharpened by its weights multiplies rounding too."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(network.named_parameters()):
            noise = torch.randn(weight.shape, generator=chance)
            if name.endswith("A_log"):
                weight.copy_(noise * 0.5)
            elif weight.dim() < 2:  # norms, biases and time steps: near what they are
                weight.add_(0.1 * noise)
            elif "embed" in name and "patch" not in name:
                weight.copy_(noise)
            else:
                weight.copy_(0.5 * noise / weight[0].numel() ** 0.5)


def write(folder: Path, seed: int):
    tokens = tokenizer()
    network = MiniCPMV4_6ForConditionalGeneration(config(tokens))
    draw(network, seed)
    network.save_pretrained(folder)
    processor = MiniCPMV4_6Processor(
        MiniCPMV4_6ImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3),
        MiniCPMV4_6VideoProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3),
        tokens,
        chat_template=TEMPLATE,
    )
    processor.save_pretrained(folder)
    return sum(weight.numel() for weight in network.parameters())


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    print(f"{arguments.folder}: {write(arguments.folder, arguments.seed):,} parameters of seed {arguments.seed}")
