#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a Hugging Face folder with random bf16 weights of Llama-2-7B's shape (13.5 GB), to time loading:
quantscope-worker bench --model FOLDER. It has no tokenizer."""

import argparse
import json
import random
import struct
import time
from pathlib import Path

SHAPES = {"llama-2-7b": (4096, 11008, 32, 32, 32000), "tiny": (256, 704, 2, 4, 1000)}
BLOCK = 64 << 20


def random_bf16(size):
    """`size` bytes of values between 2^-7 and 2^-5 in magnitude, either sign: NaN and infinity cannot occur."""
    data = bytearray(random.randbytes(size))
    data[1::2] = data[1::2].translate(bytes(0x3C | (byte & 0x80) for byte in range(256)))
    return bytes(data)


def tensors(hidden, inner, layers, vocab):
    yield "model.embed_tokens.weight", [vocab, hidden]
    for layer in range(layers):
        at = f"model.layers.{layer}."
        for name in "qkvo":
            yield f"{at}self_attn.{name}_proj.weight", [hidden, hidden]
        yield f"{at}mlp.gate_proj.weight", [inner, hidden]
        yield f"{at}mlp.up_proj.weight", [inner, hidden]
        yield f"{at}mlp.down_proj.weight", [hidden, inner]
        yield f"{at}input_layernorm.weight", [hidden]
        yield f"{at}post_attention_layernorm.weight", [hidden]
    yield "model.norm.weight", [hidden]
    yield "lm_head.weight", [vocab, hidden]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="llama-2-7b")
    arguments = parser.parse_args()
    hidden, inner, layers, heads, vocab = SHAPES[arguments.shape]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
              "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
              "num_key_value_heads": heads, "vocab_size": vocab, "max_position_embeddings": 4096,
              "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "torch_dtype": "bfloat16",
              "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False}
    (arguments.folder / "config.json").write_text(json.dumps(config, indent=2))

    header, offset = {}, 0
    for name, shape in tensors(hidden, inner, layers, vocab):
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    start = time.monotonic()
    block = memoryview(random_bf16(BLOCK))
    with open(arguments.folder / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for index, entry in enumerate(header.values()):
            left = entry["data_offsets"][1] - entry["data_offsets"][0]
            if len(entry["shape"]) == 1:
                out.write(b"\x80\x3f" * (left // 2))  # a norm: ones
                continue
            place = index * 1_000_002 % BLOCK  # no two tensors alike
            while left > 0:
                part = block[place:place + left]
                out.write(part)
                left -= len(part)
                place = 0
    print(f"{offset / 1e9:.2f} GB in {time.monotonic() - start:.1f} s")


if __name__ == "__main__":
    main()
