"""Rollouts, as if a server had run them."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Request, Response, Trace
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import calculator
from rollout_conformance.steps.peers.script import Call, Reply, Script
from rollout_conformance.steps.peers.trainer import Enrolled, ScriptedTrainer
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.rollout import view as rollout
from rollout_conformance.steps.profiles.rollout.card import RolloutCard, RolloutLimits
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH, StartOverrides, compose
from rollout_conformance.steps.profiles.rollout.view_reader import read_rollout
from rollout_conformance.steps.tests import growth
from rollout_conformance.steps.tests.heavy.values import (
    SIGNS,
    TOKENS,
    View,
    nested,
)


class Played:
    """One rollout of a dialect, of which the server's part is made up."""

    def __init__(self, dialect: str, script: Script) -> None:
        self.dialect, self.trace, self.trainer = dialect, Trace(), ScriptedTrainer()
        self.given = compose(dialect, "", "rc-00000000-1x", "http://127.0.0.1:1", str(TOKENIZER), StartOverrides())
        self.tools = list(calculator.tools())
        self.enrolled = Enrolled(
            "",
            self.given.rollout_id,
            self.given.key,
            self.given.nonce,
            self.trace,
            TOKENS,
            script,
            lambda _: asyncio.Event(),
            self.tools,
        )
        self.trainer.enroll(self.enrolled)
        self.messages = list(self.given.messages)

    def start(self, status: int, body: Any) -> None:
        request = Request("POST", START_PATH[self.dialect], (), json.dumps(self.given.body).encode())
        n = self.trace.open(request, to_target=True)
        self.trace.event("", "trainer", "StartSent", n)
        self.trace.close(n, Response(status, (), json.dumps(body).encode()))

    def ask(self, *more: Any, **members: Any) -> None:
        body = {"rollout_id": self.given.rollout_id, "messages": [*self.messages, *more], **members}
        play = self.trainer.receive(self._request("/v1/chat/completions", body))
        play.delivered()
        self.messages = [*body["messages"], self.enrolled.issued[-1].message]

    def post(self, path: str, body: Any) -> None:
        self.trainer.receive(self._request(path, body)).delivered()

    def _request(self, path: str, body: Any) -> Request:
        headers = (
            ("host", "127.0.0.1:1"),
            ("content-type", "application/json"),
            ("authorization", f"Bearer {self.given.key}"),
        )
        return Request("POST", f"{self.given.path}{path}", headers, json.dumps(body).encode())

    def end(self, **members: Any) -> None:
        result = {
            "rollout_id": self.given.rollout_id,
            "status": "COMPLETED",
            "finish_reason": "stop",
            "final_messages": self.messages,
            **members,
        }
        if self.dialect == "sync":
            self.start(200, result)
        elif self.dialect == "callback":
            self.start(202, {"rollout_id": self.given.rollout_id, "tools": self.tools})
            self.post("/v1/rollout/completed", result)
        else:
            self.start(202, {})
            self.post("/v1/rollout/completed", {"status": "success", "extra_fields": members})
            self.post("/v1/rollout/graded", {"status": "success", "sample": {"messages": self.messages, **members}})

    def view(self) -> rollout.CaseView:
        read = read_rollout(self.trace, self.given, self.enrolled.issued, TOKENS, self.tools)
        named = {tool["function"]["name"]: tool for tool in self.tools}
        return rollout.CaseView(
            self.trace, self.dialect, {"": read}, (), RolloutCard(), RolloutLimits(), named, "a log", None
        )


def refused(dialect: str, sign: str, size: int) -> rollout.CaseView:
    one = Played(dialect, Script())
    one.start(422, {"detail": growth.run(sign, size)})
    return one.view()


def failed(dialect: str, sign: str, size: int) -> rollout.CaseView:
    one = Played(dialect, Script((Reply(text="Done."),)))
    one.ask()
    one.end(
        status="ERROR",
        finish_reason="error",
        error_message=growth.run(sign, size),
        metrics={"note": growth.run(sign, size)},
    )
    return one.view()


def called(dialect: str, count: int, content: str) -> rollout.CaseView:
    made = tuple(Call("add", json.dumps({"a": n, "b": 3})) for n in range(count))
    one = Played(dialect, Script((Reply(text="Well.", calls=made), Reply(text="Done."))))
    one.ask()
    ids = [mapping(call)["id"] for call in one.enrolled.issued[-1].calls]
    one.ask(*({"role": "tool", "tool_call_id": name, "content": content} for name in ids), response_mask=[0] * count)
    one.end()
    return one.view()


def long_conversation(dialect: str, count: int) -> rollout.CaseView:
    one = Played(dialect, Script((Reply(text="Well."), Reply(text="Done."))))
    one.ask()
    one.ask(*({"role": "user", "content": f"Number {n}."} for n in range(count)))
    one.end()
    return one.view()


def asked_on(dialect: str, count: int) -> rollout.CaseView:
    """A server that asks the same again and again: each of its calls is a breach of the order."""
    one = Played(dialect, Script((Reply(text="Done."),) * count))
    opening = list(one.messages)
    for _ in range(count):
        one.messages = list(opening)
        one.ask()
    one.end()
    return one.view()


def posted_on(dialect: str, count: int) -> rollout.CaseView:
    one = Played(dialect, Script((Reply(text="Done."),)))
    one.ask()
    for _ in range(count):
        one.end()
    return one.view()


def odd_tools(dialect: str, count: int) -> rollout.CaseView:
    one = Played(dialect, Script((Reply(text="Done."),)))
    names = {f"p{n}": {"type": "number"} for n in range(count)}
    parameters = {"type": "object", "properties": names, "required": [*names], "enum": [nested(100)]}
    one.tools = [{"type": "function", "function": {"name": "a" * count, "parameters": parameters}}]
    one.ask()
    one.end()
    return one.view()


def rollout_views() -> Iterator[tuple[str, View]]:
    for dialect in PROFILES["rollout"].dialects:
        for sign in SIGNS if dialect == "sync" else SIGNS[:3]:
            yield f"{dialect}: refused with {sign}", partial(refused, dialect, sign)
            yield f"{dialect}: failed with {sign}", partial(failed, dialect, sign)
        yield f"{dialect}: many calls", lambda size, d=dialect: called(d, size // 1000, "8")  # type: ignore[misc]
        yield f"{dialect}: a content of numbers", lambda size, d=dialect: called(d, 3, growth.run("7 ", size // 8))  # type: ignore[misc]
        yield f"{dialect}: many messages", lambda size, d=dialect: long_conversation(d, size // 100)  # type: ignore[misc]
        yield f"{dialect}: many generation calls", lambda size, d=dialect: asked_on(d, size // 500)  # type: ignore[misc]
        yield f"{dialect}: many reports", lambda size, d=dialect: posted_on(d, size // 500)  # type: ignore[misc]
        yield f"{dialect}: a tool of many arguments", lambda size, d=dialect: odd_tools(d, size // 100)  # type: ignore[misc]
