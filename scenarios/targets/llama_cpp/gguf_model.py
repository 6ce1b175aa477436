"""The tiny model of this project as a GGUF file, the format of llama.cpp."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np

ARCHITECTURE = gguf.MODEL_ARCH.QWEN3
# The template engine of llama.cpp cannot make a list of an object: the same text by a loop.
NAMES = "{{- properties | list | join(', ') }}"
NAMES_BY_A_LOOP = "{%- for name in properties %}{{- name ~ ('' if loop.last else ', ') }}{%- endfor %}"


def write(scenarios: Path, file: Path) -> None:
    """Weights and tokenizer of `scenarios/` in one file."""
    config = json.loads((scenarios / "model" / "config.json").read_text())
    writer = gguf.GGUFWriter(str(file), gguf.MODEL_ARCH_NAMES[ARCHITECTURE])
    _shape(writer, config)
    _tokenizer(writer, scenarios / "tokenizer", config)
    names = gguf.get_tensor_name_map(ARCHITECTURE, config["num_hidden_layers"])
    for name, tensor in tensors(scenarios / "model" / "model.safetensors"):
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _shape(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_name("toy")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])


def _tokenizer(writer: gguf.GGUFWriter, folder: Path, config: dict[str, Any]) -> None:
    described = json.loads((folder / "tokenizer.json").read_text())
    tokens = [""] * config["vocab_size"]
    types = [gguf.TokenType.NORMAL] * len(tokens)
    for text, number in described["model"]["vocab"].items():
        tokens[number] = text
    for added in described["added_tokens"]:
        tokens[added["id"]] = added["content"]
        types[added["id"]] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    # Its words are cut in other places than those of the shipped tokenizer, and no merge of that one crosses such a place: equal tokens.
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in described["model"]["merges"]])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text().replace(NAMES, NAMES_BY_A_LOOP))


def tensors(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The tensors of a safetensors file of 32-bit floats, as they are."""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    for name, about in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + at for at in about["data_offsets"])
            yield name, np.frombuffer(data[start:end], dtype="<f4").reshape(about["shape"])
