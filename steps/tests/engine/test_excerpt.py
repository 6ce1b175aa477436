"""What the terminal shows of a body is the part that the finding is about."""

import json

import pytest

from rollout_conformance.steps.engine.excerpt import WIDTH, Clues, lines

REPLY = {
    "id": "chatcmpl-1",
    "created": 17,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "x" * 400}, "finish_reason": "stop"},
        {"index": 1, "message": {"role": "assistant", "content": "Hello there"}, "finish_reason": "length"},
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
REQUEST = {
    "temperature": 0.7,
    "messages": [
        {"role": "system", "content": "s" * 300},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "function": {"name": "add"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "122"},
    ],
}


def shown(value: object, *texts: str) -> str:
    return "\n".join(lines(json.dumps(value).encode(), Clues.of(*texts)))


@pytest.mark.parametrize(
    ("value", "texts", "excerpt"),
    [
        (REPLY, ["usage.prompt_tokens: 4"], '{...,"usage":{"prompt_tokens":3,...}}'),
        (REPLY, ["choices[1].finish_reason: stop"], '{...,"choices":[...,[1] {...,"finish_reason":"length"}],...}'),
        (REQUEST, ["[2].content: 5"], '{...,"messages":[...,[2] {...,"content":"122"}]}'),
        (REQUEST, ["temperature 0.8"], '{"temperature":0.7,...}'),
    ],
)
def test_json_is_folded_around_the_accused_member(value: object, texts: list[str], excerpt: str) -> None:
    assert shown(value, *texts) == excerpt


def test_an_absent_member_is_shown_by_what_is_there_instead() -> None:
    assert '[1] {"index":1,' in shown(REPLY, "choices[1].stop_reason: 5", "choices[1].stop_reason: absent")
    assert "(no stop_reason)" in shown(REPLY, "choices[1].stop_reason: 5")


def test_of_several_places_the_one_with_the_quoted_value_is_shown() -> None:
    assert "Hello there" in shown(REPLY, 'content "Hello there"', 'content "Hello"')


def test_a_member_of_a_message_is_found_in_the_message_that_has_it() -> None:
    assert '"tool_calls":[{"id":"call_1"' in shown(REQUEST, "tool_calls of the message")


def test_a_body_without_a_trace_of_the_finding_is_shown_by_its_ends() -> None:
    text = shown(REPLY, "200", "500")
    assert text.startswith('{"id":"chatcmpl-1"')
    assert text.endswith('"completion_tokens":4}}')
    assert len(text) < 2 * WIDTH


def stream(*words: str) -> bytes:
    return b"".join(
        b"data: " + json.dumps({"choices": [{"delta": {"content": word}}]}).encode() + b"\r\n\r\n" for word in words
    )


def test_the_named_event_of_a_stream_is_shown_with_its_neighbours() -> None:
    found = lines(stream(*"abcdefgh"), Clues.of('event 3, choices[0].delta.content: "x"'))
    assert [line[:8] for line in found] == ["event 2:", "event 3:", "event 4:", "(5 more "]


def test_the_event_with_the_quoted_value_is_shown() -> None:
    assert '"content":"five"' in "\n".join(
        lines(stream("one", "two", "three", "four", "five", "six", "seven"), Clues.of('"five"', ""))
    )


def test_a_body_that_is_no_json_is_cut_around_the_quoted_value() -> None:
    (line,) = lines(b"<p>" + b"a" * 3000 + b"needle" + b"b" * 3000, Clues.of('"needle"'))
    assert "needle" in line
    assert len(line) < 2 * WIDTH


def test_the_excerpt_of_a_large_body_is_short() -> None:
    body = b'{"a": "' + b"z" * (8 << 20) + b'"}'
    assert all(len(line) < 3 * WIDTH for line in lines(body, Clues.of("a: 5")))


CALLS = {
    "id": "chatcmpl-" + "x" * 200,
    "choices": [
        {
            "message": {
                "role": "assistant",
                "tool_calls": [
                    {"id": f"call_rc-{n}", "type": "function", "function": {"name": "get_weather", "arguments": text}}
                    for n, text in enumerate(('{"city": "Rome"}', '{"city": "Oslo"}'))
                ],
            }
        }
    ],
}
RESULTS = {
    "messages": [
        {"role": "system", "content": "s" * 500},
        {"role": "tool", "content": "snow", "tool_call_id": "call_rc-1"},
        {"role": "tool", "content": "sun", "tool_call_id": "call_rc-0"},
    ]
}
ORDER = ['tool messages for ["call_rc-0","call_rc-1"]', 'tool messages for ["call_rc-1","call_rc-0"]']
GIVES = [r'{"name":"get_weather","arguments":"{\"city\": \"Rome\"}"} gives "sun"', 'content: "snow"']


@pytest.mark.parametrize("texts", [ORDER, GIVES])
def test_every_value_that_proves_the_finding_is_shown(texts: list[str]) -> None:
    calls, results = shown(CALLS, *texts), shown(RESULTS, *texts)
    assert r'"arguments":"{\"city\": \"Rome\"}"' in calls
    assert r'"arguments":"{\"city\": \"Oslo\"}"' in calls
    first = '{"role":"tool","content":"snow","tool_call_id":"call_rc-1"}'
    second = '{"role":"tool","content":"sun","tool_call_id":"call_rc-0"}'
    assert f"[1] {first},[2] {second}" in results
    assert "sss" not in results


def test_a_value_in_a_large_object_is_shown_alone() -> None:
    large = {"messages": [{"role": "user", "content": "hello there", "note": "n" * 400}]}
    assert shown(large, 'a message with "hello there"') == '{"messages":[[0] {...,"content":"hello there",...}]}'


def test_what_is_no_text_is_shown_as_bytes() -> None:
    protobuf = bytes.fromhex("0a0e6d6f64656c5f333838303665346310011a740a14")
    assert lines(protobuf, Clues.of('"model"')) == [f"22 bytes that are no text: {protobuf.hex(' ')}"]
    (line,) = lines(protobuf * 4, Clues.of(""))
    assert line == f"88 bytes that are no text: {(protobuf * 2)[:24].hex(' ')} ..."


@pytest.mark.parametrize("text", [b'{"text": "a\x00b", "more": "' + b"c" * 40, "half a letter: 你".encode()[:-1]])
def test_a_text_with_a_slip_is_a_text(text: bytes) -> None:
    (line,) = lines(text, Clues.of(""))
    assert "no text" not in line
