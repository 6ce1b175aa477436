"""Compressed bodies (RFC 9110, 8.4). The limit holds for what a body unpacks to, and is enforced while it is unpacked."""

import importlib
import zlib
from typing import Any

from rollout_conformance.rollout_server.training.errors import UserError


def unpack(encoding: str, body: bytes, limit: int) -> bytes:
    """Raises `UserError` 400, 413, 415."""
    kind = encoding.strip().lower()
    if kind in ("", "identity"):
        return body
    if kind == "gzip":
        return unpacked_by(zlib.decompressobj(wbits=31), body, limit)
    if kind == "zstd":
        return unpack_zstd(body, limit)
    raise UserError(415, "This Content-Encoding is not supported", {"Accept-Encoding": "gzip, zstd"})


def unpacked_by(unpacker: Any, body: bytes, limit: int) -> bytes:
    try:
        result: bytes = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise broken() from None
    if len(result) > limit:
        raise too_large(limit)
    if not unpacker.eof:
        raise broken()
    return result


def unpack_zstd(body: bytes, limit: int) -> bytes:
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError:
        raise UserError(415, "zstd is not installed on this server", {"Accept-Encoding": "gzip"}) from None
    try:
        with zstandard.ZstdDecompressor(max_window_size=2**23).stream_reader(body) as reader:
            result: bytes = reader.read(limit + 1)
    except zstandard.ZstdError:
        raise broken() from None
    if len(result) > limit:
        raise too_large(limit)
    return result


def broken() -> UserError:
    return UserError(400, "The body does not have the Content-Encoding that it says")


def too_large(limit: int) -> UserError:
    return UserError(413, f"The body unpacks to more than {limit} bytes")
