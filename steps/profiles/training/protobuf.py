"""The protobuf messages of the dialect `tinker` as classes of Google's library, made from the table in the contract.

All members have presence (proto2), so that a zero that was sent is told from a member that was not.
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from rollout_conformance.contracts.training.wire_protobuf import MESSAGES, Member

PACKAGE, FILE = "rollout_conformance.training", "rollout_conformance/training.proto"
Field = descriptor_pb2.FieldDescriptorProto
TYPES = {
    "text": Field.TYPE_STRING,
    "bytes": Field.TYPE_BYTES,
    "integer": Field.TYPE_INT64,
    "boolean": Field.TYPE_BOOL,
    "double": Field.TYPE_DOUBLE,
}


def message(name: str) -> Message:
    """An empty message of this name."""
    return _classes()[f"{PACKAGE}.{name}"]()


def decoded(name: str, data: bytes) -> Message:
    """Raises `ValueError` for bytes that are no such message. Members that the contract does not have are left out."""
    made = message(name)
    try:
        made.ParseFromString(data)
    except DecodeError as error:
        raise ValueError(f"no protobuf message {name}") from error
    return made


@cache
def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name=FILE, package=PACKAGE, syntax="proto2")
    for name, members in MESSAGES.items():
        described = file.message_type.add(name=name)
        for number, member in members.items():
            _add(described, number, member, f".{PACKAGE}.{name}")
    return dict(message_factory.GetMessages([file], descriptor_pool.DescriptorPool()))


def _add(described: Any, number: int, member: Member, owner: str) -> None:
    label = Field.LABEL_OPTIONAL if member.form == "single" else Field.LABEL_REPEATED
    added = described.field.add(name=member.name, number=number, label=label)
    if member.form == "map":
        entry = described.nested_type.add(name=f"{member.name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=Field.LABEL_OPTIONAL, type=Field.TYPE_STRING)
        _typed(entry.field.add(name="value", number=2, label=Field.LABEL_OPTIONAL), member.kind)
        added.type, added.type_name = Field.TYPE_MESSAGE, f"{owner}.{entry.name}"
        return
    _typed(added, member.kind)
    if member.form == "repeated" and member.kind in ("integer", "boolean", "double"):
        added.options.packed = True


def _typed(field: Any, kind: str) -> None:
    if kind in TYPES:
        field.type = TYPES[kind]
    else:
        field.type, field.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
