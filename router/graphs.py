"""The network of MiniCPM-V 4.6 as two graphs that ONNX Runtime runs: a picture's vision, and the text's mean state.

Three things cannot be traced as transformers has them. The vision tower reads the picture's size out of a tensor, in
Python: here what depends on the size (positions, windows, merges) is an input, so one graph serves every size. It loops
over windows of four patches: here they are one batch. And Gated DeltaNet loops over chunks of 64 tokens: traced, the
number of chunks of the example is baked in, and other lengths are silently wrong. Here it is the operator
`com.microsoft::LinearAttention`, which has no chunks.
"""

import contextlib

import torch
import torch.nn.functional as F
from torch import nn
from transformers.models.qwen3_5 import modeling_qwen3_5

OPSET = 20
# A length that is not known before the run.
FREE = torch.export.Dim.DYNAMIC
# A file of ONNX holds at most 2 GiB; above this the weights go into a file beside it.
INSIDE_MAX_BYTES = 1_500_000_000


class Vision(nn.Module):
    """One picture's tile: patches to the vectors that stand for it among the tokens'."""

    def __init__(self, model, condensed: bool):
        super().__init__()
        self.tower, self.merger = model.vision_tower, model.merger
        # At "4x" the merger inside the tower is left out.
        self.insert_at = self.tower.config.insert_layer_id if condensed else -1

    def forward(self, pixels, positions, merges, windows=None):
        """Pixels [1, 3, 14, 14 n], each patch's place, and the patches' orders by merges and, at "16x", by windows."""
        embeddings = self.tower.embeddings
        hidden = embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
        hidden = hidden + embeddings.position_embedding(positions)[None]
        for at, layer in enumerate(self.tower.encoder.layers):
            hidden = hidden + attend(layer.self_attn, layer.layer_norm1(hidden))
            hidden = hidden + layer.mlp(layer.layer_norm2(hidden))
            if at == self.insert_at:
                hidden = self.window(hidden, windows)
        hidden = self.tower.post_layernorm(hidden)[0, merges]
        merge = self.merger.mlp[0]
        flat = hidden.reshape(-1, merge.linear_1.in_features)
        return merge.linear_2(merge.act(merge.linear_1(merge.pre_norm(flat))))

    def window(self, hidden, windows):
        """Four patches that touch become one: attention among the four, then a network over them."""
        merger = self.tower.vit_merger
        size = merger.window_kernel_size[0] * merger.window_kernel_size[1]
        wide = hidden.shape[-1]
        four = hidden[0, windows].reshape(-1, size, wide)
        four = four + attend(merger.self_attn, merger.layer_norm1(four))
        flat = merger.pre_norm(four.reshape(-1, size * wide))
        return (merger.linear_2(merger.act(merger.linear_1(flat))) + four.mean(1))[None]


def attend(layer, hidden):
    """Everything sees everything within a row of the batch."""
    batch, count, wide = hidden.shape
    heads = (batch, count, layer.num_heads, layer.head_dim)
    query, key, value = (
        project(hidden).reshape(heads).transpose(1, 2) for project in (layer.q_proj, layer.k_proj, layer.v_proj)
    )
    weights = torch.softmax(query @ key.transpose(2, 3) * layer.scaling, -1)
    return layer.out_proj((weights @ value).transpose(1, 2).reshape(batch, count, wide))


class Text(nn.Module):
    """Rows of the embedding table, the picture's vectors among them, to the mean of the last hidden state."""

    def __init__(self, model):
        super().__init__()
        self.model = model.language_model

    def forward(self, rows):
        hidden = self.model(inputs_embeds=rows, use_cache=False).last_hidden_state
        return hidden.float().mean(1)


def linear_attention(query, key, value, g, beta, initial_state=None, output_final_state=False, **_):
    """Gated DeltaNet as one operator: what `torch_chunk_gated_delta_rule` computes, at every length."""
    if initial_state is not None or output_final_state:
        raise NotImplementedError("an encoder reads a whole prompt and keeps no state")
    batch, length, key_heads, key_wide = key.shape
    heads, wide = value.shape[-2:]
    if key_heads != heads:
        query, key = (x.repeat_interleave(heads // key_heads, dim=2) for x in (query, key))
    query, key = (modeling_qwen3_5.l2norm(x, dim=-1, eps=1e-6) for x in (query, key))
    packed = [x.reshape(batch, length, -1) for x in (query, key, value)]
    told, _state = torch.onnx.ops.symbolic_multi_out(
        "com.microsoft::LinearAttention",
        [*packed, None, g, beta],
        {"q_num_heads": heads, "kv_num_heads": heads, "update_rule": "gated_delta", "scale": key_wide**-0.5},
        dtypes=(value.dtype, value.dtype),
        shapes=((batch, length, heads * wide), (batch, heads, key_wide, wide)),
        version=1,
    )
    return told.reshape(batch, length, heads, wide), None


@contextlib.contextmanager
def exportable():
    """While it lasts, Gated DeltaNet is one operator."""
    name = "torch_chunk_gated_delta_rule"
    before = getattr(modeling_qwen3_5, name)
    setattr(modeling_qwen3_5, name, linear_attention)
    try:
        yield
    finally:
        setattr(modeling_qwen3_5, name, before)


def places(height: int, width: int, boundaries: list[float], condensed: bool):
    """What of a tile's size the graph has to be told: the same integers as in `src/encoder/minicpm/tile.rs`."""
    side = len(boundaries) + 1
    table = torch.tensor(boundaries)
    rows, columns = (torch.bucketize(torch.arange(n) / n, table, right=True) for n in (height, width))
    positions = (rows[:, None] * side + columns).flatten()
    windows = by_fours(height, width)
    merges = by_fours(height // 2, width // 2) if condensed else windows
    return (positions, merges, windows) if condensed else (positions, merges)


def by_fours(height: int, width: int):
    """The cells of a grid, those of each square of four beside one another."""
    index = torch.arange(height * width).reshape(height // 2, 2, width // 2, 2)
    return index.permute(0, 2, 1, 3).flatten()


def boundaries(model) -> list[float]:
    """Where one learnt position ends and the next begins, as transformers rounds them."""
    side = model.vision_tower.embeddings.num_patches_per_side
    return torch.arange(1 / side, 1.0, 1 / side).tolist()


def export_vision(model, condensed: bool, file, beside: bool = False):
    height, width = 32, 28
    places_ = places(height, width, boundaries(model), condensed)
    vision = model.vision_tower.config
    pixels = torch.zeros(1, vision.num_channels, vision.patch_size, vision.patch_size * height * width)
    names = ["pixels", "positions", "merges", "windows"][: 1 + len(places_)]
    shapes = {name: {3 if name == "pixels" else 0: FREE} for name in names}
    export(Vision(model, condensed), (pixels, *places_), file, names, ["features"], shapes, beside)


def export_text(model, file, beside: bool = False):
    rows = torch.zeros(1, 100, model.config.text_config.hidden_size)
    with exportable():
        export(Text(model), (rows,), file, ["rows"], ["embedding"], {"rows": {1: FREE}}, beside)


def export(network, example, file, inputs, outputs, shapes, beside):
    with torch.no_grad():
        program = torch.onnx.export(
            network.eval(),
            example,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    weigh = sum(weight.numel() * weight.element_size() for weight in network.parameters())
    program.save(file, external_data=beside or weigh > INSIDE_MAX_BYTES)
