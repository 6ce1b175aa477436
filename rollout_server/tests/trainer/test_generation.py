"""Generation requests: the form of replies, sessions, histories and retries."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.rollout_server.common.settings import SHIPPED_TOKENIZER
from rollout_conformance.rollout_server.tests.trainer.support import CHAT_TOKENS, ID, TOOLS, USER, bench, play, results

each = pytest.mark.parametrize("dialect", ["sync", "callback"])
GARBLED = {"role": "user", "content": "Please calculate 5 plus 4."}


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


@each
def test_the_first_answer_is_a_chat_completion(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        body = (await b.ask([{**USER, "tool_calls": None, "tool_call_id": None}])).json()
        assert body["object"] == "chat.completion"
        assert isinstance(body["created"], int)
        (choice,) = body["choices"]
        assert (choice["index"], choice["finish_reason"]) == (0, "tool_calls")
        assert choice["message"]["role"] == "assistant"
        (call,) = choice["message"]["tool_calls"]
        assert (call["type"], call["function"]["name"]) == ("function", "add")
        assert json.loads(call["function"]["arguments"]) == {"a": 5, "b": 3}
        usage = body["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert ("token_ids" in body) == (dialect == "sync")

    play(scenario)


def test_the_ids_are_the_conversation_and_the_whole_turn() -> None:
    async def scenario() -> None:
        b = bench("sync")
        await b.open()
        body = (await b.ask([USER])).json()
        assert body["prompt_token_ids"] == CHAT_TOKENS.encode(CHAT_TOKENS.render([USER], TOOLS))
        assert len(body["logprobs"]) == len(body["token_ids"]) == body["usage"]["completion_tokens"]
        assert all(-1 < logprob < 0 for logprob in body["logprobs"])
        text = CHAT_TOKENS.decode(body["token_ids"])
        assert text.startswith("I'll calculate that for you.")
        assert '"name": "add", "arguments": {"a": 5, "b": 3}' in text
        assert text.endswith(CHAT_TOKENS.end_of_turn)

    play(scenario)


@each
def test_the_record_has_the_sampled_tokens(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        messages, mask = await b.called()
        answer = await b.said(messages, mask)
        assert answer["content"] == "The result is 8."
        again = [*messages, answer, {"role": "user", "content": "And 7 times 6?"}]
        third = await b.said(again, b.mask(again))
        assert [call["function"]["name"] for call in third["tool_calls"]] == ["multiply"]
        record = await b.record()
        check_record(record, turns=3)
        assert record["token_ids"] == CHAT_TOKENS.encode(text(record))
        assert text(record).startswith(CHAT_TOKENS.render(again, TOOLS))

    play(scenario)


def text(record: dict[str, Any]) -> str:
    return CHAT_TOKENS.decode(record["token_ids"])


def check_record(record: dict[str, Any], turns: int) -> None:
    """Each prompt goes on from the one before, and the mask and the logprobs show exactly the sampled tokens."""
    assert len(record["turns"]) == turns
    ids: list[int] = []
    mask: list[int] = []
    logprobs: list[float] = []
    for turn in record["turns"]:
        assert turn["prompt_token_ids"][: len(ids)] == ids
        inserted = len(turn["prompt_token_ids"]) - len(ids)
        ids = [*turn["prompt_token_ids"], *turn["token_ids"]]
        mask += [0] * inserted + [1] * len(turn["token_ids"])
        logprobs += [0.0] * inserted + turn["logprobs"]
    assert (record["token_ids"], record["response_mask"], record["logprobs"]) == (ids, mask, logprobs)
    assert record["drift"] is None


@each
def test_ids_of_calls_occur_once(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        question = {"role": "user", "content": "Please calculate 5 plus 3 and then 9 minus 2."}
        await b.open(messages=[question])
        first = await b.said([question])
        messages = [question, first, *results(first, "8", "7")]
        second = await b.said(messages, b.mask(messages))
        assert second["content"] == "The results are 8 and 7."
        messages = [*messages, second, question]
        third = await b.said(messages, b.mask(messages))
        ids = [call["id"] for message in (first, third) for call in message["tool_calls"]]
        assert len(set(ids)) == 4

    play(scenario)


@each
def test_rollouts_do_not_meet(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        await b.open("r-2", messages=[GARBLED])
        answers = await asyncio.gather(b.ask([USER]), b.ask([GARBLED], rollout_id="r-2"))
        arguments = [a.json()["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] for a in answers]
        assert [json.loads(a)["b"] for a in arguments] == [3, 4]
        assert [len((await b.record(id))["turns"]) for id in (ID, "r-2")] == [1, 1]

    play(scenario)


@each
def test_an_unknown_rollout_stays_unknown(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        body = {"rollout_id": "r-9", "messages": [USER]}
        for path in ("/v1/chat/completions", "/v1/rollout/completed"):
            assert code(await b.caller.post(path, body, headers=b.key())) == (404, "unknown_rollout")
        assert (await b.caller.get("/rollouts/r-9")).status_code == 404

    play(scenario)


HISTORIES = {
    "a changed question": lambda m: [GARBLED, *m[1:]],
    "a changed text of the reply": lambda m: [m[0], {**m[1], "content": m[1]["content"] + " "}, *m[2:]],
    "arguments written anew": lambda m: [m[0], respaced(m[1]), *m[2:]],
    "no reply": lambda m: [m[0], *m[2:]],
    "cut": lambda m: m[:1],
    "nothing new": lambda m: m[:2],
    "a message in front": lambda m: [{"role": "system", "content": "Be brief."}, *m],
    "an added member": lambda m: [{**m[0], "name": "ada"}, *m[1:]],
}


def respaced(message: dict[str, Any]) -> dict[str, Any]:
    (call,) = message["tool_calls"]
    arguments = json.dumps(json.loads(call["function"]["arguments"]), separators=(",", ":"))
    return {**message, "tool_calls": [{**call, "function": {**call["function"], "arguments": arguments}}]}


@each
@pytest.mark.parametrize("change", HISTORIES.values(), ids=HISTORIES.keys())
def test_another_history_is_rejected_and_changes_nothing(dialect: str, change: Any) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        messages, mask = await b.called()
        before = await b.record()
        assert code(await b.ask(change(messages), mask, temperature=0.1)) == (409, "history_mismatch")
        assert await b.record() == before
        assert (await b.said(messages, mask))["content"] == "The result is 8."

    play(scenario)


@each
def test_null_means_absent(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        messages, mask = await b.called()
        nulls = [{**message, "name": None, "tool_call_id": message.get("tool_call_id")} for message in messages]
        assert (await b.ask(nulls, mask)).status_code == 200

    play(scenario)


@each
def test_a_retry_gets_the_same_answer_and_counts_once(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        at_once = await asyncio.gather(*(b.ask([USER]) for _ in range(3)))
        later = await b.ask([USER])
        assert {response.content for response in (*at_once, later)} == {later.content}
        assert later.status_code == 200
        assert len((await b.record())["turns"]) == 1

    play(scenario)


@each
def test_two_different_calls_at_once_are_one_too_many(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        b.session().ready.clear()  # as if the answer to the start request had not been read
        first = asyncio.ensure_future(b.ask([USER]))
        while b.session().open is None:
            await asyncio.sleep(0)
        assert code(await b.ask([USER, {"role": "user", "content": "Now!"}])) == (409, "generation_running")
        b.session().ready.set()
        assert (await first).status_code == 200
        assert len((await b.record())["turns"]) == 1

    play(scenario)


@each
def test_a_caller_that_hangs_up_gets_the_reply_when_it_asks_again(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        b.session().ready.clear()
        first = asyncio.ensure_future(b.ask([USER]))
        while b.session().open is None:
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        b.session().ready.set()
        assert (await b.ask([USER])).status_code == 200
        assert len((await b.record())["turns"]) == 1

    play(scenario)


@each
def test_nothing_is_generated_after_the_end(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        messages, mask = await b.called()
        await b.finish()
        before = await b.record()
        for late in (messages, [USER]):
            assert code(await b.ask(late, mask if late is messages else None)) == (409, "rollout_ended")
        assert await b.record() == before

    play(scenario)


@each
def test_a_generation_that_the_end_overtakes_is_not_recorded(dialect: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        b.session().ready.clear()
        asking = asyncio.ensure_future(b.ask([USER]))
        while b.session().open is None:
            await asyncio.sleep(0)
        await b.finish()
        assert code(await asking) == (409, "rollout_ended")
        assert (await b.record())["turns"] == []

    play(scenario)


def test_a_generation_waits_for_the_tools_with_a_limit() -> None:
    async def scenario() -> None:
        b = bench("callback", ready_timeout_s=0.02)
        await b.open()
        b.session().ready.clear()
        response = await b.ask([USER])
        assert code(response) == (503, "tools_unknown")
        assert response.headers["retry-after"] == "1"

    play(scenario)


def test_a_turn_beyond_max_tokens_is_truncated() -> None:
    async def scenario() -> None:
        b = bench("sync")
        await b.open()
        body = (await b.ask([USER], max_tokens=3)).json()
        assert (len(body["token_ids"]), len(body["logprobs"])) == (3, 3)
        assert body["choices"][0]["finish_reason"] == "length"
        message = body["choices"][0]["message"]
        assert message == {"role": "assistant", "content": CHAT_TOKENS.decode(body["token_ids"])}
        messages = [USER, message, {"role": "user", "content": "Go on."}]
        assert (await b.ask(messages, b.mask(messages))).status_code == 200
        check_record(await b.record(), turns=2)

    play(scenario)


WRONG = [
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "wizard"}]}, "messages[0].role"),
    ({"stream": True}, "stream"),
    ({"n": 2}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"temperature": "hot"}, "temperature"),
]


@each
@pytest.mark.parametrize(("change", "named"), WRONG, ids=[named for _, named in WRONG])
def test_a_wrong_member_is_named(dialect: str, change: dict[str, Any], named: str) -> None:
    async def scenario() -> None:
        b = bench(dialect)
        await b.open()
        response = await b.ask(**({"messages": [USER]} | change))
        assert code(response) == (422, "invalid_body")
        assert response.json()["error"]["message"].startswith(f"{named}: ")
        assert (await b.record())["turns"] == []

    play(scenario)


def test_without_an_id_there_is_nothing_to_route_by() -> None:
    async def scenario() -> None:
        b = bench("sync")
        response = await b.caller.post("/v1/chat/completions", {"messages": [USER]})
        assert (code(response), response.json()["error"]["param"]) == ((422, "invalid_body"), "rollout_id")

    play(scenario)


def test_a_conversation_that_the_template_refuses(tmp_path: Path) -> None:
    """The template of another model, which has no place for tools."""
    shutil.copy(SHIPPED_TOKENIZER / "tokenizer.json", tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('no tools, please') }}")

    async def scenario() -> None:
        b = bench("sync", tokenizer=tmp_path)
        await b.open()
        response = await b.ask([USER])
        assert code(response) == (422, "unrenderable")
        assert "please" not in response.text
        assert (await b.record())["status"] == "running"

    play(scenario)


def test_a_long_conversation_leaves_the_event_loop_free() -> None:
    async def scenario() -> None:
        b = bench("sync")
        long = {"role": "user", "content": "Please calculate 5 plus 3. " + "And tell me a story. " * 5000}
        await b.open(messages=[long])
        asking = asyncio.ensure_future(b.ask([long]))
        while b.session().open is None:
            await asyncio.sleep(0)
        assert (await b.caller.get("/health")).status_code == 200
        assert not asking.done()
        assert (await asking).json()["choices"][0]["message"]["tool_calls"]

    play(scenario)
