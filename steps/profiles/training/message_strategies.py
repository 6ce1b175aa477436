"""How messages of protobuf are generated: from the descriptors of their classes, so that a member of the contract needs nothing written here."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from rollout_conformance.contracts.training.wire_protobuf import FLOAT32, INT64
from rollout_conformance.steps.profiles.training import batches, protobuf

FIRST_UNKNOWN, LAST_UNKNOWN = 100, 2**29 - 1  # numbers of members that the contract does not have
MOST_DATA = 3
# Each character by its code point: `st.characters` would first build a table of all of Unicode, for seconds and in the folder of the user.
CHARACTER = (st.integers(32, 126) | st.integers(0, 0xD7FF) | st.integers(0xE000, 0x10FFFF)).map(chr)
SCALARS: dict[int, "st.SearchStrategy[Any]"] = {
    FieldDescriptor.TYPE_STRING: st.lists(CHARACTER, max_size=8).map("".join),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=16),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
}


@dataclass(frozen=True, slots=True)
class Generated:
    """A message without its model, and what happens to its bytes afterwards."""

    message: Message
    damage: Callable[[bytes], bytes] = bytes

    def of(self, model: str, seq: int) -> bytes:
        """The bytes of a forward of this model."""
        message: Any = self.message
        message.model_id, message.seq_id, message.forward_only = model, seq, True
        return self.damage(message.SerializeToString())


def drawn(kind: str, count: int, number: int) -> list[Generated]:
    """The same ones for the same number."""
    found: list[Generated] = []
    how = settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @seed(number)
    @how
    @given(KINDS[kind])
    def note(one: Generated) -> None:
        found.append(one)

    note()
    return found[:count]


def messages(message: Message) -> "st.SearchStrategy[Message]":
    """Any message of the class of this one, which the descriptor of it allows."""
    members = {field.name: _member(field) for field in message.DESCRIPTOR.fields}
    kind: Any = type(message)
    return st.fixed_dictionaries({}, optional=members).map(lambda given: kind(**given))


def _member(field: Any) -> "st.SearchStrategy[Any]":
    if field.message_type is None:
        one = SCALARS[field.type]
    elif field.message_type.GetOptions().map_entry:
        entry = field.message_type.fields_by_name
        return st.dictionaries(_member(entry["key"]), _member(entry["value"]), max_size=2)
    else:
        one = messages(protobuf.message(field.message_type.name))
    return st.lists(one, max_size=2) if field.is_repeated else one


@st.composite
def valid(draw: st.DrawFn) -> Message:
    """A forward of cross_entropy whose tokens any model has, with weights that are exact in float32."""
    made: Any = protobuf.message("ForwardBackwardRequest")
    made.loss_fn = "cross_entropy"
    known = sorted({token for rows in batches.TOKENS.values() for row in rows for token in row})
    for _ in range(draw(st.integers(1, MOST_DATA))):
        tokens = draw(st.lists(st.sampled_from(known), min_size=2, max_size=12))
        weights = draw(st.lists(st.sampled_from((0.0, 0.5, 1.0, 2.0)), min_size=len(tokens), max_size=len(tokens)))
        _add(made, tokens, weights[1:])
    return made


def _add(made: Any, tokens: list[int], weights: list[float]) -> None:
    datum = made.data.add()
    datum.model_input.add().encoded_text.tokens = np.asarray(tokens[:-1], "<i4").tobytes()
    given: dict[str, tuple[int, str, Sequence[float]]] = {
        "target_tokens": (INT64, "<i8", tokens[1:]),
        "weights": (FLOAT32, "<f4", weights),
    }
    for name, (dtype, layout, values) in given.items():
        tensor = datum.loss_fn_inputs[name]
        tensor.dense, tensor.dtype = np.asarray(values, layout).tobytes(), dtype
        tensor.shape.append(len(values))


@st.composite
def changed_members(draw: st.DrawFn) -> Message:
    """A valid message of which one or two members have another value of their type."""
    made = draw(valid())
    for _ in range(draw(st.integers(1, 2))):
        holder, field = draw(st.sampled_from(list(_scalars(made))))
        value = draw(st.lists(SCALARS[field.type], max_size=2) if field.is_repeated else SCALARS[field.type])
        holder.ClearField(field.name)
        holder.MergeFrom(type(holder)(**{field.name: value}))
    return made


def _scalars(message: Any) -> Iterator[tuple[Any, Any]]:
    """The members of a message and of all messages in it that are no messages, with their owners."""
    for field, value in message.ListFields():
        if field.message_type is None:
            yield message, field
        elif field.message_type.GetOptions().map_entry:
            for key in value:
                yield from _scalars(value[key])
        else:
            for one in value if field.is_repeated else (value,):
                yield from _scalars(one)


def _varint(value: int) -> bytes:
    found = b""
    while value > 127:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


@st.composite
def unknown_members(draw: st.DrawFn) -> bytes:
    """Members that the contract does not have, of every type of the wire that is in use."""
    found = b""
    for _ in range(draw(st.integers(1, 3))):
        number, value = draw(st.integers(FIRST_UNKNOWN, LAST_UNKNOWN)), draw(st.binary(max_size=16))
        wire_type, body = draw(
            st.sampled_from(((0, _varint(len(value))), (1, bytes(8)), (2, _varint(len(value)) + value), (5, bytes(4))))
        )
        found += _varint(number << 3 | wire_type) + body
    return found


def _with_unknown(message: Message, more: bytes, first: bool) -> Generated:
    return Generated(message, lambda body: more + body if first else body + more)


def _cut(message: Message, share: float) -> Generated:
    return Generated(message, lambda body: body[: 1 + int(share * (len(body) - 1))])


def _changed(message: Message, changes: list[tuple[float, int]]) -> Generated:
    def damage(body: bytes) -> bytes:
        found = bytearray(body)
        for share, value in changes:
            found[int(share * len(found))] ^= value
        return bytes(found)

    return Generated(message, damage)


SHARE = st.floats(0, 1, exclude_max=True)
KINDS: dict[str, "st.SearchStrategy[Generated]"] = {
    "valid": valid().map(Generated),
    "with unknown members": st.builds(_with_unknown, valid(), unknown_members(), st.booleans()),
    "any message": messages(protobuf.message("ForwardBackwardRequest")).map(Generated),
    "with changed members": changed_members().map(Generated),
    "cut": st.builds(_cut, valid(), SHARE),
    "with changed bytes": st.builds(
        _changed, valid(), st.lists(st.tuples(SHARE, st.integers(1, 255)), min_size=1, max_size=3)
    ),
    "any bytes": st.binary(min_size=1, max_size=64).map(
        lambda body: Generated(protobuf.message("ForwardBackwardRequest"), lambda _: body)
    ),
    "of another content type": valid().map(Generated),
    "of another encoding": valid().map(Generated),
}
