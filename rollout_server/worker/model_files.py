"""A Qwen3 model as Hugging Face `transformers` saves it: `config.json` and `model.safetensors`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from rollout_conformance.rollout_server.common.settings import SettingsError

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Config:
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    epsilon: float
    theta: float
    context_length: int
    eos: int


@dataclass(frozen=True, slots=True)
class Layer:
    """Matrices have shape (in, out), so that activations of shape (tokens, in) are multiplied from the left."""

    attention_norm: Array
    qkv: Array
    query_norm: Array
    key_norm: Array
    output: Array
    mlp_norm: Array
    gate_up: Array
    down: Array


@dataclass(frozen=True, slots=True)
class Weights:
    config: Config
    embedding: Array
    layers: tuple[Layer, ...]
    norm: Array
    head: Array


def load(directory: Path, variable: str) -> Weights:
    """Raises `SettingsError`, which names `variable`, when the directory holds no usable model."""
    try:
        config = read_config(json.loads((directory / "config.json").read_text("utf-8")))
        tensors = load_file(directory / "model.safetensors")
        return weights(config, tensors)
    except Exception as error:  # broken files raise errors of many kinds
        sentence = f"{variable}: no usable Qwen3 model in {directory}; it needs config.json and model.safetensors"
        raise SettingsError(sentence) from error


def read_config(config: dict[str, Any]) -> Config:
    """Raises `ValueError` for another architecture, and for what is not implemented here."""
    plain = {"model_type": "qwen3", "hidden_act": "silu", "attention_bias": False, "use_sliding_window": False}
    unlike = [name for name, value in plain.items() if config.get(name, value) != value]
    if unlike or config["rope_parameters"]["rope_type"] != "default":
        raise ValueError(f"not implemented: {', '.join(unlike) or 'rope_type'}")
    return Config(
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_size=config["head_dim"],
        epsilon=config["rms_norm_eps"],
        theta=config["rope_parameters"]["rope_theta"],
        context_length=config["max_position_embeddings"],
        eos=config["eos_token_id"],
    )


def weights(config: Config, tensors: dict[str, Array]) -> Weights:
    embedding = single(tensors["model.embed_tokens.weight"])
    head = tensors.get("lm_head.weight", embedding)  # absent where embeddings are tied
    layers = tuple(layer(tensors, f"model.layers.{n}.") for n in range(config.layers))
    return Weights(config, embedding, layers, single(tensors["model.norm.weight"]), matrix(head))


def layer(tensors: dict[str, Array], prefix: str) -> Layer:
    def named(*names: str) -> Array:
        return matrix(np.concatenate([tensors[f"{prefix}{name}_proj.weight"] for name in names]))

    def norm(name: str) -> Array:
        return single(tensors[f"{prefix}{name}.weight"])

    return Layer(
        attention_norm=norm("input_layernorm"),
        qkv=named("self_attn.q", "self_attn.k", "self_attn.v"),
        query_norm=norm("self_attn.q_norm"),
        key_norm=norm("self_attn.k_norm"),
        output=named("self_attn.o"),
        mlp_norm=norm("post_attention_layernorm"),
        gate_up=named("mlp.gate", "mlp.up"),
        down=named("mlp.down"),
    )


def matrix(tensor: Array) -> Array:
    return np.ascontiguousarray(single(tensor).T)


def single(tensor: Array) -> Array:
    return tensor.astype(np.float32, copy=False)
