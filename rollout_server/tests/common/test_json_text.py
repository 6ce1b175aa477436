"""JSON is preserved, or rejected."""

import pytest

from rollout_conformance.rollout_server.common import json_text

SAME = [
    '{"a":"\\ud800"}',
    '{"n":123456789012345678901234567890}',
    '{"z":1,"a":2}',
    '{"e":"\\u202e\U0001f642\\u0000"}',
    "[1,1.5,-0.0,true,null]",
    '["'+"x" * 100 + '"]',
]  # fmt: skip


@pytest.mark.parametrize("text", SAME)
def test_there_and_back(text: str) -> None:
    value = json_text.loads(text.encode())
    assert json_text.loads(json_text.dumps(value)) == value


REFUSED = [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"{} {}", b"[" * 129 + b"]" * 129, b"[" * 100_000]


@pytest.mark.parametrize("data", REFUSED, ids=lambda data: repr(data)[:20])
def test_rejected(data: bytes) -> None:
    with pytest.raises(json_text.NotJsonError):
        json_text.loads(data)


def test_wide_is_not_deep() -> None:
    assert len(json_text.loads(b"[" + b",".join([b"[]"] * 1000) + b"]")) == 1000
    assert json_text.loads(b"[" * 128 + b"]" * 128)


def test_size_is_in_bytes() -> None:
    assert json_text.size({"k": "é"}) == len('{"k":"é"}'.encode())


@pytest.mark.parametrize(("text", "finite"), [(b"[1e308]", True), (b"[1e309]", False), (b"[-1e999]", False)])
def test_finite(text: bytes, finite: bool) -> None:
    assert json_text.is_finite(json_text.loads(text)) is finite
