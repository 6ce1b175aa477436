"""Protocol Buffers by tables of members: bytes to plain values and back. Unknown members are refused, as in the JSON dialects."""

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rollout_conformance.contracts.training.wire_protobuf import MESSAGES, SCALARS, Member

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
WIRE_TYPES = {"text": LENGTH, "bytes": LENGTH, "integer": VARINT, "boolean": VARINT, "double": FIXED64}
DEFAULTS: Mapping[str, Any] = {"text": "", "bytes": b"", "integer": 0, "boolean": False, "double": 0.0}
Message = dict[str, Any]


class NotProtobufError(Exception):
    """The bytes are no such message."""


def decode(name: str, data: bytes) -> Message:
    """The members that are there; repeated ones and maps always. Raises `NotProtobufError`."""
    members = MESSAGES[name]
    found: Message = {
        one.name: [] if one.form == "repeated" else {} for one in members.values() if one.form != "single"
    }
    for number, wire_type, raw in fields(data):
        member = members.get(number)
        if member is None:
            raise NotProtobufError(f"{name} has a member {number} that is not known")
        add(found, member, wire_type, raw)
    return found


def add(found: Message, member: Member, wire_type: int, raw: Any) -> None:
    if member.form == "map":
        key, value = entry(member, expect(member, LENGTH, wire_type, raw))
        found[member.name][key] = value
    elif member.form == "single":
        found[member.name] = read(member, wire_type, raw)
    elif member.kind == "integer" and wire_type == LENGTH:
        found[member.name] += packed(raw)
    else:
        found[member.name].append(read(member, wire_type, raw))


def entry(member: Member, data: bytes) -> tuple[str, Any]:
    """One entry of a map: 1 is the key, 2 the value."""
    key: str = ""
    value = DEFAULTS.get(member.kind) if member.kind in SCALARS else decode(member.kind, b"")
    for number, wire_type, raw in fields(data):
        if number == 1:
            key = read(Member("key", "text"), wire_type, raw)
        elif number == 2:
            value = read(member, wire_type, raw)
        else:
            raise NotProtobufError(f"An entry of {member.name} has a member {number}")
    return key, value


def read(member: Member, wire_type: int, raw: Any) -> Any:
    value = expect(member, WIRE_TYPES.get(member.kind, LENGTH), wire_type, raw)
    return READERS[member.kind](value) if member.kind in READERS else decode(member.kind, value)


def expect(member: Member, wanted: int, wire_type: int, raw: Any) -> Any:
    if wire_type != wanted:
        raise NotProtobufError(f"{member.name} has the wire type {wire_type}")
    return raw


def text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise NotProtobufError("A text is not UTF-8") from None


def signed(raw: int) -> int:
    return raw - 2**64 if raw >= 2**63 else raw


READERS: Mapping[str, Callable[[Any], Any]] = {
    "text": text,
    "bytes": bytes,
    "integer": signed,
    "boolean": bool,
    "double": lambda raw: struct.unpack("<d", raw)[0],
}


def fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """The number, the wire type and the raw value of each field."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            raw, at = varint(data, at)
            yield number, wire_type, raw
            continue
        length, at = (varint(data, at)) if wire_type == LENGTH else (SIZES.get(wire_type, -1), at)
        if length < 0 or at + length > len(data) or number == 0:
            raise NotProtobufError("The message is truncated, or no protobuf")
        yield number, wire_type, data[at : at + length]
        at += length


SIZES = {FIXED64: 8, FIXED32: 4}


def varint(data: bytes, at: int) -> tuple[int, int]:
    """And where the next one begins."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), at
    raise NotProtobufError("A number is truncated or too long")


def packed(data: bytes) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        found.append(signed(value))
    return found


def encode(name: str, value: Message) -> bytes:
    """Of the members that `value` has."""
    numbers = {member.name: (number, member) for number, member in MESSAGES[name].items()}
    result = bytearray()
    for key, one in value.items():
        number, member = numbers[key]
        for item in items(member, one):
            result += written(number, member, item)
    return bytes(result)


def items(member: Member, value: Any) -> list[Any]:
    if member.form == "map":
        return list(value.items())
    return list(value) if member.form == "repeated" else [value]


def written(number: int, member: Member, value: Any) -> bytes:
    if member.form == "map":
        key, item = value
        body = written(1, Member("key", "text"), key) + written(2, Member("value", member.kind), item)
        return length_delimited(number, body)
    if member.kind in ("integer", "boolean"):
        return number_bytes(number << 3 | VARINT) + number_bytes(int(value) & (2**64 - 1))
    if member.kind == "double":
        return number_bytes(number << 3 | FIXED64) + struct.pack("<d", value)
    if member.kind == "text":
        return length_delimited(number, value.encode())
    return length_delimited(number, value if member.kind == "bytes" else encode(member.kind, value))


def length_delimited(number: int, body: bytes) -> bytes:
    return number_bytes(number << 3 | LENGTH) + number_bytes(len(body)) + body


def number_bytes(value: int) -> bytes:
    result = bytearray()
    while value > 127:
        result.append(value & 127 | 128)
        value >>= 7
    result.append(value)
    return bytes(result)
