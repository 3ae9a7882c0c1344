# SPDX-License-Identifier: Apache-2.0
"""A small Llama in PyTorch whose weights carry Hugging Face's names, and its folder on disk."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The fields of config.json that fix the graph."""

    vocab_size: int = 1280
    hidden_size: int = 512
    intermediate_size: int = 768
    num_hidden_layers: int = 4
    num_attention_heads: int = 8
    num_key_value_heads: int = 2
    head_dim: int = 64
    max_position_embeddings: int = 4096
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0


class Norm(nn.Module):
    def __init__(self, size, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x):
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)
        return (wide * self.weight.float()).to(x.dtype)


def rotary_tables(shape, length, device):
    """(cos, sin), each [length, head_dim]: Hugging Face's halves, not interleaved pairs."""
    steps = torch.arange(0, shape.head_dim, 2, device=device).float() / shape.head_dim
    angles = torch.arange(length, device=device).float()[:, None] * shape.rope_theta**-steps
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x, tables):
    """x is [batch, heads, length, head_dim]."""
    cos, sin = (table.to(x.dtype) for table in tables)
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        wide = shape.num_attention_heads * shape.head_dim
        narrow = shape.num_key_value_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden_size, wide, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, narrow, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, narrow, bias=False)
        self.o_proj = nn.Linear(wide, shape.hidden_size, bias=False)

    def forward(self, x, tables, past):
        batch, length, _ = x.shape

        def heads(projection):
            return projection(x).view(batch, length, -1, self.shape.head_dim).transpose(1, 2)

        query, key, value = heads(self.q_proj), heads(self.k_proj), heads(self.v_proj)
        query, key = rotate(query, tables), rotate(key, tables)
        if past is not None:
            if past:
                key, value = (torch.cat(pair, dim=2) for pair in zip(past, (key, value)))
            past[:] = key, value
        share = self.shape.num_attention_heads // self.shape.num_key_value_heads
        key, value = (t.repeat_interleave(share, dim=1) for t in (key, value))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=length > 1)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))


class FeedForward(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.input_layernorm = Norm(shape.hidden_size, shape.rms_norm_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = Norm(shape.hidden_size, shape.rms_norm_eps)
        self.mlp = FeedForward(shape)

    def forward(self, x, tables, past):
        x = x + self.self_attn(self.input_layernorm(x), tables, past)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = Norm(shape.hidden_size, shape.rms_norm_eps)


class Llama(nn.Module):
    """Embeddings are tied: the head multiplies by the embedding, unless `head` is set apart (rotation does so)."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        self.head = None
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * shape.num_hidden_layers) ** 0.5 if deep else 0.02)

    def new_cache(self):
        """An empty cache for `forward`: the keys and values of each layer."""
        return [[] for _ in self.model.layers]

    def forward(self, tokens, cache=None):
        """Tokens [batch, length] to logits [batch, length, vocab_size].

        With a cache, tokens continue what it holds: all of the prompt first, then one token at a time.
        """
        before = cache[0][0].shape[2] if cache and cache[0] else 0
        length = before + tokens.shape[1]
        tables = tuple(table[before:] for table in rotary_tables(self.shape, length, tokens.device))
        x = self.model.embed_tokens(tokens)
        for index, layer in enumerate(self.model.layers):
            x = layer(x, tables, None if cache is None else cache[index])
        head = self.model.embed_tokens.weight if self.head is None else self.head
        return functional.linear(self.model.norm(x), head.to(x.dtype))


def save_folder(model, folder):
    """Writes config.json and model.safetensors (bfloat16)."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **asdict(model.shape),
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = {n: t.detach().to("cpu", torch.bfloat16).contiguous() for n, t in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def load_folder(folder, device="cpu"):
    """The model in float32."""
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = Llama(Shape(**{field: config[field] for field in Shape.__dataclass_fields__}))
    model.load_state_dict({n: t.float() for n, t in load_file(folder / "model.safetensors").items()})
    return model.to(device).eval()
