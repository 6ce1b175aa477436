"""The Qwen3 model on the CPU, in float32 with numpy alone.

The tokens of all sequences are computed as one batch; only attention is computed for each sequence by itself. Matrix products are of
`ROWS` rows each: BLAS rounds a row otherwise where there are more beside it, and a token would depend on which other jobs run.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rollout_conformance.rollout_server.worker.kv_cache import Array, KvCache, LayerCache
from rollout_conformance.rollout_server.worker.model import Logits, Read
from rollout_conformance.rollout_server.worker.model_files import Config, Layer, Weights

ROWS = 4
MASKED = np.float32(-1e30)

Positions = npt.NDArray[np.int64]


class Qwen3:
    def __init__(self, name: str, weights: Weights, context_length: int | None = None) -> None:
        self.name, self._weights, self._config = name, weights, weights.config
        self.vocab_size = len(weights.embedding)
        most = weights.config.context_length
        self.context_length, self.eos = min(context_length or most, most), weights.config.eos
        self._cos, self._sin = rotation(weights.config)

    def new_cache(self) -> KvCache:
        config = self._config
        return KvCache(tuple(LayerCache(config.kv_heads, config.head_size) for _ in range(config.layers)))

    def read(self, reads: Sequence[Read]) -> list[Logits]:
        lengths = [len(read.ids) for read in reads]
        padding = -sum(lengths) % ROWS
        ids: Positions = np.concatenate(
            [*(np.asarray(read.ids, dtype=np.int64) for read in reads), np.zeros(padding, np.int64)]
        )
        positions = np.concatenate([*(places(read) for read in reads), np.zeros(padding, np.int64)])
        hidden = self._weights.embedding[ids]
        for number, layer in enumerate(self._weights.layers):
            caches = [read.cache.layers[number] for read in reads]
            hidden = self._attend(layer, hidden, caches, lengths, positions)
            hidden = feed_forward(layer, hidden, self._config.epsilon)
        return self._logits(hidden, reads, lengths)

    def _attend(
        self, layer: Layer, hidden: Array, caches: Sequence[LayerCache], lengths: Sequence[int], positions: Positions
    ) -> Array:
        config = self._config
        joint = product(normalized(hidden, layer.attention_norm, config.epsilon), layer.qkv)
        joint = joint.reshape(len(hidden), -1, config.head_size)
        ends = config.heads, config.heads + config.kv_heads
        cos, sin = self._cos[positions], self._sin[positions]
        queries = rotated(normalized(joint[:, : ends[0]], layer.query_norm, config.epsilon), cos, sin)
        keys = rotated(normalized(joint[:, ends[0] : ends[1]], layer.key_norm, config.epsilon), cos, sin)
        seen = np.zeros((len(hidden), config.heads * config.head_size), dtype=np.float32)
        start = 0
        for cache, length in zip(caches, lengths, strict=True):
            here = slice(start, start := start + length)
            whole = cache.append(keys[here], joint[here, ends[1] :])
            seen[here] = attention(queries[here], *whole)
        return hidden + product(seen, layer.output)

    def _logits(self, hidden: Array, reads: Sequence[Read], lengths: Sequence[int]) -> list[Logits]:
        ends = np.cumsum(lengths)
        wanted = [slice(end - (len(read.ids) if read.every else 1), end) for read, end in zip(reads, ends, strict=True)]
        rows = padded(np.concatenate([hidden[one] for one in wanted]))
        logits = product(normalized(rows, self._weights.norm, self._config.epsilon), self._weights.head)
        counts = np.cumsum([one.stop - one.start for one in wanted])
        return np.split(logits[: counts[-1]], counts[:-1])


def padded(rows: Array) -> Array:
    return np.pad(rows, ((0, -len(rows) % ROWS), (0, 0)))


def product(rows: Array, weight: Array) -> Array:
    """The product, a block of `ROWS` rows at a time; there is a multiple of `ROWS` of them."""
    result: Array = (rows.reshape(-1, ROWS, rows.shape[1]) @ weight).reshape(len(rows), -1)
    return result


def places(read: Read) -> Positions:
    start = read.cache.length
    return np.arange(start, start + len(read.ids))


def rotation(config: Config) -> tuple[Array, Array]:
    """Rotary embedding: cosine and sine of each position, of shape (context, 1, head size)."""
    half = np.arange(0, config.head_size, 2, dtype=np.float32) / config.head_size
    angles = np.outer(np.arange(config.context_length, dtype=np.float32), 1.0 / config.theta**half)
    both = np.concatenate([angles, angles], axis=1)[:, None, :].astype(np.float32)
    return np.cos(both), np.sin(both)


def rotated(heads: Array, cos: Array, sin: Array) -> Array:
    half = heads.shape[-1] // 2
    turned: Array = np.concatenate([-heads[..., half:], heads[..., :half]], axis=-1)
    result: Array = heads * cos + turned * sin
    return result


def normalized(values: Array, weight: Array, epsilon: float) -> Array:
    """RMSNorm over the last axis."""
    mean = np.mean(np.square(values), axis=-1, keepdims=True)
    result: Array = values / np.sqrt(mean + np.float32(epsilon)) * weight
    return result


def attention(queries: Array, keys: Array, values: Array) -> Array:
    """Queries of shape (tokens, heads, head size) attend to all tokens up to their own; keys and values are those of the whole sequence."""
    tokens, heads, size = queries.shape
    kv_heads, length, _ = keys.shape
    grouped = queries.reshape(tokens, kv_heads, -1, size).transpose(1, 2, 0, 3).reshape(kv_heads, -1, size)
    scores = grouped @ keys.swapaxes(1, 2) * np.float32(size**-0.5)
    if tokens > 1:
        scores = scores.reshape(kv_heads, -1, tokens, length) + causal(tokens, length)
        scores = scores.reshape(kv_heads, -1, length)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    seen = (shares @ values).reshape(kv_heads, heads // kv_heads, tokens, size)
    result: Array = seen.transpose(2, 0, 1, 3).reshape(tokens, heads * size)
    return result


def causal(tokens: int, length: int) -> Array:
    later = np.arange(length) > np.arange(length - tokens, length)[:, None]
    return np.where(later, MASKED, np.float32(0))


def feed_forward(layer: Layer, hidden: Array, epsilon: float) -> Array:
    gate, up = np.split(product(normalized(hidden, layer.mlp_norm, epsilon), layer.gate_up), 2, axis=1)
    silu = gate * (np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * gate)))  # no overflow for large negative values
    result: Array = hidden + product(silu * up, layer.down)
    return result
