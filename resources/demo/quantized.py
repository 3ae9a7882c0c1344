# SPDX-License-Identifier: Apache-2.0
"""Simulates the engine's quantization schemes in float32 PyTorch, to see what they do to the demo model.

The arithmetic is the engine's (symmetric, weights per output channel, activations per token, rounding half to
even); the integer products are exact in float32, so only the last bits of scales and sums can differ.
"""

import torch
from torch import nn
from torch.nn import functional

# name: (largest weight level, largest activation level, rotated); None leaves full precision.
SCHEMES = {
    "fp32": (None, None, False),
    "rotated-fp32": (None, None, True),
    "int8": (127, 127, False),
    "w4a8": (7, 127, False),
    "w4a4-rtn": (7, 7, False),
    "w4a4-rot": (7, 7, True),
}
DOWN_BLOCK = 256


def levels(x, largest):
    """(integers, scale) of each row."""
    scale = x.abs().amax(dim=-1, keepdim=True) / largest
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    return torch.clamp(torch.round(x / scale), -largest, largest), scale


class QuantizedLinear(nn.Module):
    """A linear whose weights and inputs are rounded to integers; `block` rotates the input first."""

    def __init__(self, weight, weight_levels, input_levels, block):
        super().__init__()
        self.input_levels = input_levels
        self.block = block
        if weight_levels is None:
            self.weight, self.weight_scale = weight, None
        else:
            self.weight, self.weight_scale = levels(weight, weight_levels)

    def forward(self, x):
        if self.block:
            x = times_hadamard(x, self.block)
        if self.weight_scale is None:
            return functional.linear(x, self.weight)
        rounded, scale = levels(x, self.input_levels)
        return functional.linear(rounded, self.weight) * scale * self.weight_scale.squeeze(-1)


def hadamard(size, device):
    """The orthonormal Sylvester matrix; size is a power of two."""
    matrix = torch.ones(1, 1, device=device)
    while matrix.shape[0] < size:
        matrix = torch.cat((torch.cat((matrix, matrix), 1), torch.cat((matrix, -matrix), 1)))
    return matrix / size**0.5


def times_hadamard(x, block):
    """x H for each block of the last dimension."""
    return (x.unflatten(-1, (-1, block)) @ hadamard(block, x.device)).flatten(-2)


def _fold_norms(model):
    for layer in model.model.layers:
        for norm, readers in (
            (layer.input_layernorm, (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)),
            (layer.post_attention_layernorm, (layer.mlp.gate_proj, layer.mlp.up_proj)),
        ):
            for reader in readers:
                reader.weight.data *= norm.weight.data
            norm.weight.data.fill_(1)
    model.head = model.model.embed_tokens.weight.data * model.model.norm.weight.data
    model.model.norm.weight.data.fill_(1)


def _rotate(model):
    """QuaRot's rotations: residual stream, per-head values, and (online) the input of down_proj."""
    shape = model.shape
    width = shape.hidden_size
    _fold_norms(model)
    model.model.embed_tokens.weight.data = times_hadamard(model.model.embed_tokens.weight.data, width)
    model.head = times_hadamard(model.head, width)
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        for reader in (attention.q_proj, attention.k_proj, attention.v_proj, mlp.gate_proj, mlp.up_proj):
            reader.weight.data = times_hadamard(reader.weight.data, width)
        for writer in (attention.o_proj, mlp.down_proj):
            writer.weight.data = times_hadamard(writer.weight.data.T, width).T.contiguous()
        values = attention.v_proj.weight.data
        attention.v_proj.weight.data = times_hadamard(values.T, shape.head_dim).T.contiguous()
        attention.o_proj.weight.data = times_hadamard(attention.o_proj.weight.data, shape.head_dim)
        mlp.down_proj.weight.data = times_hadamard(mlp.down_proj.weight.data, DOWN_BLOCK)


@torch.no_grad()
def quantize(model, scheme):
    """Changes the model in place into the scheme's."""
    weight_levels, input_levels, rotated = SCHEMES[scheme]
    if rotated:
        _rotate(model)
    for layer in model.model.layers:
        for part in (layer.self_attn, layer.mlp):
            for name, linear in list(part.named_children()):
                block = DOWN_BLOCK if rotated and name == "down_proj" else 0
                setattr(part, name, QuantizedLinear(linear.weight.data, weight_levels, input_levels, block))
    return model
