"""Language models of random weights, some 400 kB of GGUF, which llama.cpp loads and runs in milliseconds.

Token n is the byte n, and the two words of ChatML follow: a text has as many tokens as it has bytes. What the models
write depends on all they have read and is printable ASCII, one character a token, without a meaning. Of 300 replies,
10 % (recurrent) to 72 % (plain) ended by themselves before the hundredth token, at most 2 % before the fifth.
The files hold no chat template, so that ChatML is assumed.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The names of keys and tensors, and what each
architecture asks for: src/llama-arch.cpp and src/models/ of llama.cpp.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

TURN_START, TURN_END = 256, 257  # <|im_start|> and <|im_end|>
CONTEXT_TOKENS = 4096  # what the models say they were trained for
WINDOW = 32  # tokens that the first layer of sliding_model sees

_VOCABULARY = 258
_WIDTH = 64  # of what goes from layer to layer
_LAYERS = 2
_HEADS, _KEY_HEADS, _HEAD_WIDTH = 4, 2, 16
_HIDDEN = 128  # inside a feed-forward or Mamba layer
_STATES, _CONVOLVED, _STEP_RANK = 16, 4, 4  # of a Mamba layer
_ATTENTION = {"feed_forward_length": _HIDDEN, "attention.head_count": _HEADS, "attention.head_count_kv": _KEY_HEADS}

_Array = npt.NDArray[np.float32]
_Tensors = dict[str, _Array]  # a matrix is (out, in)
_Value = str | bool | int | float | Sequence[str] | Sequence[int]


def plain_model(path: Path, more: Mapping[str, _Array] | None = None) -> Path:
    """Write a model of ordinary attention, the llama architecture; `more` is added to its tensors of these names."""
    # Of four seeds tried, one ended every reply at its first token and one ended none. A RandomState gives the same
    # numbers with every numpy; that is not promised of a Generator.
    random = np.random.RandomState(1)
    tensors = _both_ends(random, embedding=1.0)
    for layer in range(_LAYERS):
        tensors |= _attention(random, f"blk.{layer}.", query=3.0)
    tensors |= {name: tensors[name] + added for name, added in (more or {}).items()}
    return _write(path, "llama", _ATTENTION, tensors)


def plain_adapter(path: Path, low: Mapping[str, tuple[_Array, _Array]], alpha: float) -> Path:
    """Write a LoRA adapter of plain_model: alpha / rank times b @ a is added to each tensor, of a (rank, into) and b
    (out, rank)."""
    parts = {f"{name}.lora_{part}": tensor for name, ab in low.items() for part, tensor in zip("ab", ab, strict=True)}
    metadata = {"general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": alpha}
    return _write(path, "llama", _ATTENTION, parts, metadata)


def sliding_model(path: Path) -> Path:
    """Write a model whose first layer sees WINDOW tokens and whose second sees all, the gemma3 architecture."""
    random = np.random.RandomState(2)
    tensors = _both_ends(random, embedding=_WIDTH**-0.5)  # Gemma multiplies it by the root of the width
    for layer in range(_LAYERS):
        block = f"blk.{layer}."
        tensors |= _attention(random, block, query=1.0)
        tensors |= {
            f"{block}attn_q_norm.weight": _all(3.0, _HEAD_WIDTH),
            f"{block}attn_k_norm.weight": _all(1.0, _HEAD_WIDTH),
            f"{block}post_attention_norm.weight": _all(1.0, _WIDTH),
            f"{block}post_ffw_norm.weight": _all(1.0, _WIDTH),
        }
    # Every second layer, beginning with the first.
    window = {"attention.sliding_window": WINDOW, "attention.sliding_window_pattern": 2}
    return _write(path, "gemma3", _ATTENTION | window, tensors)


def recurrent_model(path: Path) -> Path:
    """Write a model with one state per sequence, from which nothing can be taken back, the mamba architecture."""
    random = np.random.RandomState(3)
    tensors = _both_ends(random, embedding=1.0)
    for layer in range(_LAYERS):
        block = f"blk.{layer}."
        tensors |= {
            f"{block}attn_norm.weight": _all(1.0, _WIDTH),
            f"{block}ssm_in.weight": _matrix(random, 2 * _HIDDEN, _WIDTH),
            f"{block}ssm_conv1d.weight": _matrix(random, _HIDDEN, _CONVOLVED),
            f"{block}ssm_conv1d.bias": _all(0.0, _HIDDEN),
            f"{block}ssm_x.weight": _matrix(random, _STEP_RANK + 2 * _STATES, _HIDDEN, gain=2.0),
            # A state fades by exp(-step * decay) a token: a step is about log(1 + exp(-2)) = .13, so states keep
            # what they saw for 8 to 160 tokens.
            f"{block}ssm_dt.weight": _matrix(random, _HIDDEN, _STEP_RANK),
            f"{block}ssm_dt.bias": _all(-2.0, _HIDDEN),
            f"{block}ssm_a": -np.tile(np.linspace(0.05, 1.0, _STATES, dtype=np.float32), (_HIDDEN, 1)),
            f"{block}ssm_d": _all(1.0, _HIDDEN),
            f"{block}ssm_out.weight": _matrix(random, _WIDTH, _HIDDEN, gain=2.0),
        }
    sizes = {
        "feed_forward_length": 0,
        "attention.head_count": 0,
        "ssm.conv_kernel": _CONVOLVED,
        "ssm.inner_size": _HIDDEN,
        "ssm.state_size": _STATES,
        "ssm.time_step_rank": _STEP_RANK,
    }
    return _write(path, "mamba", sizes, tensors)


# -- tensors -----------------------------------------------------------------------------------------------------------


def _matrix(random: np.random.RandomState, out: int, into: int, gain: float = 1.0) -> _Array:
    """(out, into): numbers around 1 come out of it around `gain`."""
    return (random.standard_normal((out, into)) * gain * into**-0.5).astype(np.float32)


def _all(value: float, width: int) -> _Array:
    return np.full(width, value, np.float32)


def _both_ends(random: np.random.RandomState, embedding: float) -> _Tensors:
    """What stands before the layers and after them. `embedding` is the size of the numbers that a token becomes."""
    output = _matrix(random, _VOCABULARY, _WIDTH, gain=3.0)
    # What is never written has logit 0, and the largest of 96 random ones is above.
    output[[*range(ord(" ")), *range(ord("~") + 1, TURN_END)]] = 0
    output[TURN_END] *= 0.8  # at 1, a fifth of plain_model's replies are shorter than five tokens
    return {
        "token_embd.weight": _matrix(random, _VOCABULARY, _WIDTH, gain=embedding * _WIDTH**0.5),
        "output_norm.weight": _all(1.0, _WIDTH),
        "output.weight": output,
    }


def _attention(random: np.random.RandomState, block: str, query: float) -> _Tensors:
    """A layer of attention and feed-forward. The larger `query` is, the fewer tokens a token looks at."""
    return {
        f"{block}attn_norm.weight": _all(1.0, _WIDTH),
        f"{block}attn_q.weight": _matrix(random, _HEADS * _HEAD_WIDTH, _WIDTH, gain=query),
        f"{block}attn_k.weight": _matrix(random, _KEY_HEADS * _HEAD_WIDTH, _WIDTH),
        f"{block}attn_v.weight": _matrix(random, _KEY_HEADS * _HEAD_WIDTH, _WIDTH),
        f"{block}attn_output.weight": _matrix(random, _WIDTH, _HEADS * _HEAD_WIDTH, gain=2.0),
        f"{block}ffn_norm.weight": _all(1.0, _WIDTH),
        f"{block}ffn_gate.weight": _matrix(random, _HIDDEN, _WIDTH),
        f"{block}ffn_up.weight": _matrix(random, _HIDDEN, _WIDTH),
        f"{block}ffn_down.weight": _matrix(random, _WIDTH, _HIDDEN, gain=2.0),
    }


# -- metadata ----------------------------------------------------------------------------------------------------------


def _tokenizer() -> dict[str, _Value]:
    """Byte-level BPE that joins no two bytes."""
    # GPT-2 writes a byte as a printable character: itself where it is one, else the next one from U+0100 on.
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    characters = [chr(byte if byte in printable else 0x100 + others.index(byte)) for byte in range(256)]
    normal, control = 1, 3
    return {
        "model": "gpt2",
        "pre": "qwen2",
        "tokens": [*characters, "<|im_start|>", "<|im_end|>"],
        "token_type": [normal] * 256 + [control] * 2,
        "merges": [],
        "bos_token_id": TURN_START,
        "eos_token_id": TURN_END,
        "add_bos_token": False,
    }


# -- the file ----------------------------------------------------------------------------------------------------------

_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_F32_TENSOR = 0
_ALIGNMENT = 32


def _write(
    path: Path, architecture: str, sizes: dict[str, int], tensors: _Tensors, more: Mapping[str, _Value] | None = None
) -> Path:
    sizes = {"context_length": CONTEXT_TOKENS, "embedding_length": _WIDTH, "block_count": _LAYERS} | sizes
    metadata = {
        "general.architecture": architecture,
        f"{architecture}.attention.layer_norm_rms_epsilon": 1e-6,
        **{f"{architecture}.{key}": value for key, value in sizes.items()},
        **{f"tokenizer.ggml.{key}": value for key, value in _tokenizer().items()},
        **(more or {}),
    }
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(metadata))
    header += b"".join(_string(key) + _typed(value) for key, value in metadata.items())
    data = b""
    for name, tensor in tensors.items():
        lengths = tensor.shape[::-1]  # that of a row first
        header += _string(name) + struct.pack(f"<I{len(lengths)}Q", len(lengths), *lengths)
        header += struct.pack("<IQ", _F32_TENSOR, len(data))
        data += _padded(tensor.astype("<f4").tobytes())
    path.write_bytes(_padded(header) + data)
    return path


def _typed(value: _Value) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", _BOOL, value)
        case int():
            return struct.pack("<II", _UINT32, value)
        case float():
            return struct.pack("<If", _FLOAT32, value)
        case str():
            return struct.pack("<I", _STRING) + _string(value)
        case [int(), *_]:
            return struct.pack(f"<IIQ{len(value)}i", _ARRAY, _INT32, len(value), *value)
        case _:
            return struct.pack("<IIQ", _ARRAY, _STRING, len(value)) + b"".join(map(_string, value))


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)
