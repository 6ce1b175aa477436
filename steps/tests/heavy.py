"""Cases as large as a hostile or a very busy target makes them, as each profile's invariants read them; and the CPU time that judging takes.

`python -m rollout_conformance.steps.tests.heavy PROFILE` judges each at a quarter of its size,
then whole, and prints what is steeper than linear. It is a
process of its own, so that a test can end it: nothing else stops a regular expression.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from rollout_conformance.steps.engine.lenient_json import mapping
from rollout_conformance.steps.engine.trace import Request, Response, Trace, parse
from rollout_conformance.steps.http.responses import Responses
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import calculator, tokens
from rollout_conformance.steps.peers.script import Call, Reply, Script
from rollout_conformance.steps.peers.scripted_backends import BackendScript
from rollout_conformance.steps.peers.scripted_rollout_server import HostedRollout
from rollout_conformance.steps.peers.trainer import Enrolled, ScriptedTrainer
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.chat import view as chat
from rollout_conformance.steps.profiles.chat.assembled_stream import assembled
from rollout_conformance.steps.profiles.chat.card import ChatCard
from rollout_conformance.steps.profiles.chat.responses import ChatResponse
from rollout_conformance.steps.profiles.rollout import view as rollout
from rollout_conformance.steps.profiles.rollout.card import RolloutCard, RolloutLimits
from rollout_conformance.steps.profiles.rollout.start_request import START_PATH, StartOverrides, compose
from rollout_conformance.steps.profiles.rollout.view_reader import read_rollout
from rollout_conformance.steps.profiles.router.card import RouterCard
from rollout_conformance.steps.profiles.router.context import RouterContext
from rollout_conformance.steps.profiles.trainer import state as trainer
from rollout_conformance.steps.profiles.training import view as training
from rollout_conformance.steps.profiles.training.accounting import Row
from rollout_conformance.steps.profiles.training.card import TrainingCard
from rollout_conformance.steps.profiles.training.context import TrainingContext
from rollout_conformance.steps.profiles.training.responses import TrainingResponse
from rollout_conformance.steps.profiles.worker import view as worker
from rollout_conformance.steps.profiles.worker.card import WorkerCard
from rollout_conformance.steps.profiles.worker.context import WorkerContext
from rollout_conformance.steps.profiles.worker.dialects import DIALECTS
from rollout_conformance.steps.profiles.worker.events import Transcript
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.tests import streams
from rollout_conformance.steps.sse.streams import Chunk
from rollout_conformance.steps.tests import growth

MIB = 1 << 20
SIZES = (MIB // 4, MIB)
SIGNS = ("a", "9", "/", '"', " ", "_", ".", "[")
TOKENS = tokens.load(TOKENIZER)
QUESTION = [{"role": "user", "content": "Please calculate 5 plus 3."}]
ENTRY = {"token": "a", "logprob": -1.0, "top_logprobs": []}
IDS = {"token_ids": [5], "logprobs": {"content": [ENTRY]}}
View = Callable[[int], Any]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def calls(count: int) -> list[dict[str, Any]]:
    function = {"name": "add", "arguments": '{"a": 5, "b": 3}'}
    return [{"id": f"call-{n}", "type": "function", "function": function} for n in range(count)]


# ---------------------------------------------------------------------------------------------------- chat and router


def asked(**more: Any) -> dict[str, Any]:
    wishes = {"max_tokens": 256, "temperature": 0, "logprobs": True, "return_token_ids": True}
    return {"model": "m", "messages": QUESTION, **wishes, **more}


EVENTS = (("content-type", "text/event-stream"),)


def completion(choices: list[Any], **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
    return {**head, "choices": choices, **more}


def choice(message: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **more}


def whole(body: Any, status: int = 200) -> ChatResponse:
    raw = json.dumps(body).encode()
    return ChatResponse("it", 0, asked(), status, parse(raw), raw=raw)


def streamed(data: list[Any]) -> ChatResponse:
    events = tuple(Chunk(n / 1000, one) for n, one in enumerate(data))
    return ChatResponse("it", 0, asked(stream=True), 200, assembled(events), events, headers=EVENTS)


def chunk(part: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [part]}


def an_error(sign: str, size: int) -> ChatResponse:
    return whole({"error": {"message": growth.run(sign, size)}}, 500)


def a_message(sign: str, size: int) -> ChatResponse:
    return whole(completion([choice({"content": growth.run(sign, size)})]))


def many_tokens(size: int) -> ChatResponse:
    entries = [ENTRY] * (size // 10)
    return whole(completion([choice({"content": "a"}, token_ids=[5] * len(entries), logprobs={"content": entries})]))


def chat_replies() -> Iterator[tuple[str, Callable[[int], ChatResponse]]]:
    for sign in SIGNS:
        yield f"an error of {sign}", partial(an_error, sign)
        yield f"a message of {sign}", partial(a_message, sign)
    yield "many tokens", many_tokens
    yield (
        "many calls",
        lambda size: whole(completion([choice({"tool_calls": calls(size // 1000)}, token_ids=[5] * 1000)])),
    )
    yield "many choices", lambda size: whole(completion([choice({"content": "a"})] * (size // 50)))
    yield "many members", lambda size: whole({f"m{n}": n for n in range(size // 20)})
    yield "nested", lambda size: whole(completion([choice({"content": nested(150)})] * (size // 10_000)))
    yield (
        "many chunks",
        lambda size: streamed(
            [chunk({"index": n % 1000, "delta": {"content": "ab"}, **IDS}) for n in range(size // 10)]
        ),
    )
    yield (
        "pieces of a call",
        lambda size: streamed(
            [
                chunk({"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "ab"}}]}})
                for _ in range(size // 10)
            ]
        ),
    )
    yield (
        "chunks that differ",
        lambda size: streamed([{**chunk({"index": 0, "delta": {}}), "id": f"{n}"} for n in range(size // 10)]),
    )


def chat_talk(reply: ChatResponse, context: chat.CaseContext, extra: dict[str, Any]) -> chat.CaseView:
    trace = Trace()
    n = trace.open(Request("POST", "/v1/chat/completions", (), json.dumps(reply.request).encode()), to_target=True)
    trace.close(n, Response(reply.status or 0, reply.headers, reply.raw))
    return chat.CaseView(trace, Responses.of([reply]), context, extra=extra)


def chat_views() -> Iterator[tuple[str, View]]:
    context = chat.CaseContext("m", "the-key-of-the-suite", TOKENS, ChatCard(), 4096)
    for name, made in chat_replies():

        def view(size: int, made: Callable[[int], ChatResponse] = made) -> chat.CaseView:
            return chat_talk(made(size), context, {})

        yield name, view


def router_views() -> Iterator[tuple[str, View]]:
    context = RouterContext("m", "the-key-of-the-suite", TOKENS, RouterCard(), 4096, ports=("40123",))
    for name, made in chat_replies():

        def view(size: int, made: Callable[[int], ChatResponse] = made) -> chat.CaseView:
            script = BackendScript("rc-00000000-1x", Trace())
            script.delivered += [
                completion([choice({"content": "a"})]),
                [chunk({"index": 0, "delta": {"content": "a"}}), "[DONE]"],
            ]
            return chat_talk(made(size), context, {"script": script})

        yield name, view


# ---------------------------------------------------------------------------------------------------------- trainer


def trained(answers: list[tuple[int, Any]], record: Any = None) -> trainer.CaseView:
    trace = Trace()
    rollout = trainer.RolloutState(
        "", "r1", HostedRollout("", "r1", "sync", trace, calculator.tools()), QUESTION, QUESTION
    )
    for status, body in answers:
        n = trace.open(Request("POST", "/v1/chat/completions"), to_target=True)
        trace.close(n, Response(status, (), json.dumps(body).encode()))
        rollout.calls.append(trainer.Call(n, {"messages": QUESTION}, True))
    if record is not None:
        at = trace.open(Request("GET", "/rollouts/r1"), to_target=True)
        trace.close(at, Response(200, (), json.dumps(record).encode()))
        rollout.records.append(at)
    return trainer.CaseView(trace, "sync", {"": rollout}, TOKENS, None)


def generation(message: dict[str, Any], count: int = 3) -> dict[str, Any]:
    lists = {"token_ids": [5] * count, "logprobs": [-1.0] * count, "prompt_token_ids": [5] * count}
    return {**completion([choice(message)]), **lists}


def untrained(sign: str, size: int) -> trainer.CaseView:
    return trained([(500, {"error": growth.run(sign, size)})])


def said(sign: str, size: int) -> trainer.CaseView:
    return trained([(200, generation({"content": growth.run(sign, size)}))])


def trainer_views() -> Iterator[tuple[str, View]]:
    for sign in SIGNS:
        yield f"an error of {sign}", partial(untrained, sign)
        yield f"a message of {sign}", partial(said, sign)
    yield "many tokens", lambda size: trained([(200, generation({"content": "a"}, size // 10))])
    yield "many calls", lambda size: trained([(200, generation({"content": None, "tool_calls": calls(size // 1000)}))])
    yield "many replies", lambda size: trained([(200, generation({"content": "a"}))] * (size // 1000))
    turn = {"prompt_token_ids": [5] * 10, "token_ids": [5] * 10}
    yield (
        "a long record",
        lambda size: trained(
            [],
            {
                "turns": [turn] * (size // 100),
                "token_ids": [5] * size,
                "response_mask": [0] * size,
                "logprobs": [0.0] * size,
            },
        ),
    )


# ---------------------------------------------------------------------------------------------------------- rollout


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


# ---------------------------------------------------------------------------------------------------------- training


def of_training(body: Any, status: int = 200, targets: int = 3) -> training.TrainingView:
    trace, raw = Trace(), json.dumps(body).encode()
    n = trace.open(Request("POST", "/api/v1/retrieve_future"), to_target=True)
    trace.close(n, Response(status, (), raw))
    response = TrainingResponse(
        "it", n, {}, status, parse(raw), raw=raw, dialect="tinker-json", rows=(Row((1,) * targets),)
    )
    context = TrainingContext(TrainingCard(keys={"other": "tml-of-another"}), "tml-the-key", "tinker-json", "m")
    return training.TrainingView(trace, Responses.of([response]), context)


def outputs(values: list[Any], data: int = 1, metrics: int = 1) -> dict[str, Any]:
    return {
        "loss_fn_outputs": [{"logprobs": {"data": values}}] * data,
        "metrics": {f"m{n}:sum": 1.0 for n in range(metrics)},
    }


def training_views() -> Iterator[tuple[str, View]]:
    for sign in SIGNS:
        yield f"an error of {sign}", lambda size, s=sign: of_training({"error": growth.run(s, size)}, 400)  # type: ignore[misc]
        yield f"a text for logprobs of {sign}", lambda size, s=sign: of_training(outputs([growth.run(s, size)]))  # type: ignore[misc]
    yield "many logprobs", lambda size: of_training(outputs([-1.0] * (size // 8)), targets=size // 8)
    yield "many data", lambda size: of_training(outputs([-1.0], data=size // 40))
    yield "many metrics", lambda size: of_training(outputs([-1.0] * 3, metrics=size // 20))
    yield "nested", lambda size: of_training(outputs([nested(150)] * (size // 10_000)))


# ------------------------------------------------------------------------------------------------------------ worker


def of_worker(dialect: str, data: list[Any], status: int = 200, **spec: Any) -> worker.WorkerView:
    """A job whose stream has these events, or which is rejected with the first of them."""
    known, job = DIALECTS[dialect], JobSpec("job-1", "Hello!", **spec)
    chunks = tuple(Chunk(n / 1000, one) for n, one in enumerate(data)) if status == 200 else ()
    raw = streams.sent(*data) if status == 200 else json.dumps(data[0]).encode()
    asked_for, trace = known.body(job), Trace()
    n = trace.open(Request("POST", known.path, (), json.dumps(asked_for).encode()), to_target=True)
    headers = EVENTS if status == 200 else ()
    trace.close(n, Response(status, headers, raw))
    response = worker.JobResponse(
        "job",
        n,
        asked_for,
        status,
        parse(raw) if status != 200 else None,
        chunks,
        raw=raw,
        headers=headers,
        elapsed_s=1.0,
        spec=job,
        dialect=known,
        transcript=known.read(chunks, "delta") if status == 200 else Transcript(),
    )
    context = WorkerContext(
        WorkerCard(keys={"other": "the-key-of-another"}, framing="delta"), "the-key-of-the-suite", dialect=known
    )
    return worker.WorkerView(trace, Responses.of([response]), context, worker=context)


STARTED = {"type": "started", "job_id": "job-1", "model": "m", "started_at": "2026-01-01T00:00:00Z", "seed": 5}


def streamed_texts(dialect: str, texts: list[str]) -> list[Any]:
    """A job of one event for each text, as the dialect writes it."""
    count, whole = len(texts), "".join(texts)
    if dialect == "orcd":
        ended = {"type": "end", "tokens_out": count, "stop_reason": "max_tokens", "decode_time_ms": 1.0}
        return [STARTED, *({"type": "token", "t": text, "i": n} for n, text in enumerate(texts)), ended]
    if dialect == "vllm-generate":
        said = [streams.vllm([5], text=text) for text in texts]
        return [*said, streams.vllm([], "length"), streams.vllm_usage(count), "[DONE]"]
    if dialect == "sglang":
        ended = {"type": "length", "length": count}
        said = [streams.sglang(text, [5]) for text in texts]
        for n, one in enumerate(said):
            one["meta_info"] |= {"completion_tokens": n + 1, "finish_reason": ended if n + 1 == count else None}
        return [*said, "[DONE]"]
    if dialect == "tgi":
        return [
            *(streams.tgi(5, text) for text in texts[:-1]),
            streams.tgi(count, texts[-1], whole=whole, reason="length"),
        ]
    return [*(streams.llamacpp(text, [5]) for text in texts), streams.llamacpp_end(count, "limit")]


def a_worker_text(dialect: str, sign: str, size: int) -> worker.WorkerView:
    return of_worker(dialect, streamed_texts(dialect, ["Well. ", growth.run(sign, size)]))


def many_worker_tokens(dialect: str, size: int) -> worker.WorkerView:
    return of_worker(dialect, streamed_texts(dialect, ["ab"] * (size // 10)))


def a_rejected_job(sign: str, size: int) -> worker.WorkerView:
    return of_worker("orcd", [{"error": {"message": growth.run(sign, size)}}], 400)


def a_failed_job(sign: str, size: int) -> worker.WorkerView:
    failure = {"type": "error", "code": "X", "message": growth.run(sign, size), "retriable": False}
    return of_worker("orcd", [STARTED, failure])


def an_odd_end(sign: str, size: int) -> worker.WorkerView:
    said = growth.run(sign, size)
    ended = {"type": "end", "tokens_out": 0, "stop_reason": said, "stop_sequence_matched": said}
    return of_worker("orcd", [{**STARTED, "job_id": said, "model": said, "started_at": said}, ended], stop=(said, "b"))


def of_kind(kind: str, size: int) -> worker.WorkerView:
    return of_worker("orcd", [STARTED, *([{"type": kind}] * (size // 20))])


def worker_views() -> Iterator[tuple[str, View]]:
    for sign in SIGNS:
        yield f"a rejection of {sign}", partial(a_rejected_job, sign)
        yield f"a failure of {sign}", partial(a_failed_job, sign)
        yield f"an end of {sign}", partial(an_odd_end, sign)
    for dialect in DIALECTS:
        for sign in SIGNS if dialect == "orcd" else SIGNS[:3]:
            yield f"{dialect}: a text of {sign}", partial(a_worker_text, dialect, sign)
        yield f"{dialect}: broken characters", partial(a_worker_text, dialect, "\ufffd")
        yield f"{dialect}: many tokens", partial(many_worker_tokens, dialect)
    for kind in ("token", "metrics", "started", "end", "error", "other"):
        yield f"many events {kind}", partial(of_kind, kind)
    yield "nested", lambda size: of_worker("orcd", [{**STARTED, "job_id": nested(150)}] * (size // 10_000))
    spans = [{"start": 0, "end": 1}]
    yield (
        "many spans",
        lambda size: of_worker("vllm-generate", [streams.vllm([5], "length", weight_versions=spans * (size // 20))]),
    )


VIEWS = {
    "chat": chat_views,
    "router": router_views,
    "trainer": trainer_views,
    "rollout": rollout_views,
    "training": training_views,
    "worker": worker_views,
}


def main(profile: str) -> int:
    """Judge every case with every invariant; a line for each that is steeper than linear, then how many were judged."""
    judged = 0
    for name, view in VIEWS[profile]():
        talks = {size: view(size) for size in SIZES}
        for invariant in PROFILES[profile].invariants:
            told = growth.excess(lambda size, i=invariant, t=talks: lambda: [*i(t[size])], SIZES)  # type: ignore[misc]
            judged += 1
            if told:
                sys.stdout.write(f"{invariant.__name__}, {name}: {told}\n")
    sys.stdout.write(f"judged {judged}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
