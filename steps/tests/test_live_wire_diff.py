"""What differs on the wire between the script and a live model is told member by member."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.engine.findings import SuiteError, Verdict
from rollout_conformance.steps.engine.trace import Response
from rollout_conformance.steps.live import wire_diff
from rollout_conformance.steps.live.wire_diff import Allowed, Difference
from rollout_conformance.steps.tests.live_traces import CHAT, COMPLETED, NOTHING, trace

PASS, FAIL, ERROR, SKIP, INCONCLUSIVE = (
    Verdict.PASS,
    Verdict.FAIL,
    Verdict.ERROR,
    Verdict.SKIP,
    Verdict.INCONCLUSIVE,
)


def differences(scripted: Any, live: Any, allowed: Allowed = NOTHING, path: str = CHAT) -> list[tuple[str, ...]]:
    """Of one reply, without what stands before each member."""
    found = wire_diff.differences(trace((path, {}, scripted)), trace((path, {}, live)), allowed)
    return [(one.member.split(".reply.")[-1], one.what, one.scripted, one.live) for one in found]


@pytest.mark.parametrize(
    ("scripted", "live", "wanted"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": 2}, [("a", "value", "1", "2")]),
        ({"a": "x"}, {"a": "y"}, [("a", "value", '"x"', '"y"')]),
        ({"a": 1}, {"a": "1"}, [("a", "type", "number", "text")]),
        ({"a": 1}, {"a": True}, [("a", "type", "number", "boolean")]),
        ({"a": None}, {"a": "x"}, [("a", "type", "null", "text")]),
        ({"a": 1}, {"a": 1, "b": 2}, [("b", "type", "absent", "number")]),
        ({"a": 1, "b": None}, {"a": 1}, [("b", "type", "null", "absent")]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", "value", "1", "2")]),
        ({"a": {"b": 1}}, {"a": 1}, [("a", "type", "absent", "number"), ("a.b", "type", "number", "absent")]),
        ({"a": [1, 2]}, {"a": [1, 3]}, []),  # only the first of several is compared by value
        ({"a": [1, 2]}, {"a": [1, "2"]}, [("a[]", "type", "number", "number or text")]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}, {"c": 1}]}, [("a[].c", "type", "absent", "number")]),
        (
            {"a": [1]},
            {"a": []},
            [("a", "value", "list of number", "empty list"), ("a[]", "type", "number", "absent")],
        ),
    ],
)
def test_what_differs_is_told_member_by_member(scripted: Any, live: Any, wanted: list[tuple[str, ...]]) -> None:
    assert differences(scripted, live) == wanted


def test_the_mask_of_values_and_the_mask_of_members() -> None:
    scripted, live = {"a": 1, "b": 1, "c": [{"d": "x"}]}, {"a": 2, "b": "2", "c": [{"d": "y"}, {"e": 1}]}
    values = Allowed(values={"*.a": "", "*.b": "", "generation.reply.c[].d": ""})
    assert [one[:2] for one in differences(scripted, live, values)] == [("b", "type"), ("c[].e", "type")]
    members = Allowed(members={"*.b": "", "*.c[]*": "", "other.reply.a": ""})
    assert differences(scripted, live, members) == [("a", "value", "1", "2")]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (CHAT, "generation"),
        (f"/rc-0123abcd-1x{CHAT}?a=b", "generation"),
        (COMPLETED, "completion"),
        ("/v1/rollout/graded", "grade"),
        ("/rollout", "start"),
        ("/rollout/init", "start"),
        ("/v1/rollouts", "start"),
        ("/health", "other"),
    ],
)
def test_a_member_says_whose_message_it_is_in(path: str, name: str) -> None:
    found = wire_diff.leaves(trace((path, {"a": 1}, {"b": 2})))
    assert found == {f"{name}.request.a": [1], f"{name}.reply.b": [2], f"{name}.status": [200]}


def test_what_is_no_json_or_never_came_has_no_members() -> None:
    assert wire_diff.leaves(trace((CHAT, b"<html>", None), (CHAT, b"", b""))) == {"generation.status": [200]}


def test_the_names_of_a_run_are_no_difference() -> None:
    assert differences({"id": "call_rc-0123abcd-1x_0"}, {"id": "call_rc-fedc4321-77x_0"}) == []
    assert differences({"id": "call_rc-0123abcd-1x_0"}, {"id": "call_rc-0123abcd-1x_1"}) != []


def test_the_status_is_a_member() -> None:
    one, other = trace((CHAT, {}, {})), trace((CHAT, {}, {}))
    other.exchanges[0] = replace(other.exchanges[0], response=Response(503, body=b"{}"))
    assert wire_diff.differences(one, other, NOTHING) == (Difference("generation.status", "value", "200", "503"),)


def test_the_shipped_mask_lets_a_model_speak_for_itself() -> None:
    def reply(text: str | None, n: int, **message: Any) -> dict[str, Any]:
        said = {"role": "assistant", "content": text, **message}
        return {
            "id": f"chatcmpl-{n}",
            "created": n,
            "model": "m" * n,
            "choices": [{"index": 0, "message": said, "finish_reason": "stop" if n > 1 else "tool_calls"}],
            "usage": {"total_tokens": n},
            "prompt_token_ids": [n],
            "token_ids": [n, n],
            "logprobs": [-n],
        }

    call = {"tool_calls": [{"id": "call_1", "function": {"name": "add"}}]}
    mask = wire_diff.mask()
    assert differences(reply(None, 1, **call), reply("The result is 8.", 2), mask) == []
    assert differences(reply("8", 1), {**reply("9", 2), "logprobs": None}, mask) != []
    assert all(mask.values.values())
    assert all(mask.members.values())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("values: []\n", "m.yaml:1:1: values"),
        ("values: {}\nmember: {}\n", "m.yaml:2:1: member: unknown key"),
        ("", "1:1"),
    ],
)
def test_a_mask_that_does_not_fit_is_told_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    with pytest.raises(SuiteError, match=place):
        wire_diff.mask(tmp_path / "m.yaml")


def test_an_empty_object_is_there() -> None:
    assert differences({"a": {}}, {}) != []


def test_a_list_is_no_text() -> None:
    assert differences({"a": "x"}, {"a": []}) == [("a", "type", "text", "list")]
