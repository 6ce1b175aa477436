"""The trainer whose generations are real: same contract, same faults, same bookkeeping as the scripted one, and an engine that samples.

What a script says a reply *is* does not count here, only how it is delivered: held, delayed, lost, in pieces. What was sampled is
issued as it came, so that the judge knows every id.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.lenient_json import JSON
from rollout_conformance.steps.engine.trace import Response, parse
from rollout_conformance.steps.live import inference_client
from rollout_conformance.steps.live.inference_client import Engine, Generation
from rollout_conformance.steps.peers.script import Loss, Reply
from rollout_conformance.steps.peers.token_oracle import Issued
from rollout_conformance.steps.peers.tokens import Tokens
from rollout_conformance.steps.peers.trainer import Enrolled, Play, ScriptedTrainer, error, generation_response

SAMPLING = ("temperature", "top_p", "top_k", "max_tokens", "stop", "seed", "presence_penalty", "frequency_penalty")
NULLS = ("refusal", "annotations", "audio", "function_call", "reasoning", "reasoning_content")


@dataclass(frozen=True, slots=True)
class Drift:
    """A prompt that the engine tokenized otherwise than the suite: from `position` on the ids differ."""

    rollout: str
    position: int
    ours: tuple[int, ...]
    theirs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Drifts:
    """The drifts of a run, and the text around the first of them as both sides read it."""

    all: tuple[Drift, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class LivePlay:
    """An answer that is being generated. The binding waits for `hold`, which is set when there is one."""

    enrolled: Enrolled
    exchange: int
    loss: Loss | None
    drip: bool
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    response: Response = field(default_factory=lambda: Response(500, ()))
    delay_s: float = 0.0
    task: "asyncio.Task[None] | None" = None

    def _final(self) -> Play:
        return Play(self.response, self.loss, enrolled=self.enrolled, exchange=self.exchange)

    def delivered(self) -> None:
        self._final().delivered()

    def failed(self) -> None:
        self._final().failed()

    def abandoned(self) -> None:
        """Who hangs up wants no answer: the engine is told so by closing its connection."""
        if self.task is not None:
            self.task.cancel()
        self._final().abandoned()


class LiveTrainer(ScriptedTrainer):
    """`drifts` are the prompts that the engine read otherwise than the suite.

    Generations are greedy whatever the server passes on, unless the case says `sampled`: a live run can be repeated.
    """

    def __init__(self, client: httpx.AsyncClient, engine: Engine) -> None:
        super().__init__()
        self.client, self.engine = client, engine
        self.drifts: list[Drift] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._tokens: Tokens | None = None

    def _generate(self, rollout: Enrolled, n: int, line: Reply, messages: list[Any]) -> Any:
        play = LivePlay(rollout, n, line.lost, line.drip)
        play.task = asyncio.ensure_future(self._answer(play, line, messages))
        self._tasks.add(play.task)
        play.task.add_done_callback(self._tasks.discard)
        return play

    async def _answer(self, play: LivePlay, line: Reply, messages: list[object]) -> None:
        rollout = play.enrolled
        try:
            if line.hold:
                await rollout.gate(line.hold).wait()
            await asyncio.sleep(line.delay_s)
            made = await inference_client.generate(
                self.client, self.engine, self._body(rollout, play.exchange, messages)
            )
            self._issue(play, line, made)
            # The response goes out first: the server works with it while the suite reads the prompt again.
            asyncio.get_running_loop().call_soon(self._compare, rollout, messages, made)
        except Exception as trouble:  # whatever trips here is no fault of the server that waits for the answer
            self._note(rollout, trouble)
            play.response = error(502, "the engine did not generate")
        finally:
            play.hold.set()

    def _note(self, rollout: Enrolled, trouble: Exception) -> None:
        told = str(trouble) if isinstance(trouble, SuiteError) else f"{type(trouble).__name__}: {trouble}"
        self.troubles.setdefault(rollout.nonce, told)

    def _body(self, rollout: Enrolled, n: int, messages: list[Any]) -> dict[str, JSON]:
        asked = parse(rollout.trace.exchanges[n].request.body)
        sampling = {name: asked[name] for name in SAMPLING if asked.get(name) is not None}
        greedy = {} if rollout.sampled else {"temperature": 0.0}
        tools = {"tools": list(rollout.tools)} if rollout.tools else {}
        return {**sampling, **greedy, **tools, "messages": messages}

    def _issue(self, play: LivePlay, line: Reply, made: Generation) -> None:
        rollout = play.enrolled
        message = said(made.message)
        canonical = rollout.tokens.encode(rollout.tokens.decode(made.token_ids)) == list(made.token_ids)
        ended = made.token_ids[-1:] == (rollout.tokens.end_of_turn,)
        issued = Issued(
            exchange=play.exchange,
            prompt_ids=made.prompt_token_ids,
            token_ids=made.token_ids,
            logprobs=made.logprobs,
            message=message,
            finish_reason=made.finish_reason,
            canonical=canonical,
            end_token=ended,
            lost=line.lost is not None,
            tampered=False,
        )
        rollout.issued.append(issued)
        play.response = generation_response(rollout, issued, line)

    def drifted(self) -> Drifts:
        """The drifts so far, with the text around the first of them."""
        first = self.drifts[:1]
        texts = tuple((self.decoded(d.ours, d.position), self.decoded(d.theirs, d.position)) for d in first)
        return Drifts(tuple(self.drifts), texts)

    def decoded(self, ids: Sequence[int], position: int) -> str:
        """The text around a position, for people."""
        return self._tokens.decode(ids[max(0, position - 4) : position + 8]) if self._tokens else ""

    def _compare(self, rollout: Enrolled, messages: list[object], made: Generation) -> None:
        try:
            ours = tuple(rollout.tokens.prompt_ids(messages, rollout.tools))
        except SuiteError as trouble:
            self._note(rollout, trouble)
            return
        if ours != made.prompt_token_ids:
            self._tokens = rollout.tokens
            place = first_difference(ours, made.prompt_token_ids)
            self.drifts.append(Drift(rollout.rollout_id, place, ours, made.prompt_token_ids))


def said(message: Mapping[str, object]) -> dict[str, object]:
    """The message without what an engine leaves null, reasoning under the name that servers know."""
    kept = {name: value for name, value in message.items() if value is not None or name not in NULLS}
    if "reasoning" in kept:
        kept.setdefault("reasoning_content", kept.pop("reasoning"))
    if not kept.get("tool_calls"):
        kept.pop("tool_calls", None)
    return {"role": "assistant", "content": None, **kept}


def first_difference(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """The first position at which two sequences differ; the length of the shorter where one begins the other."""
    return next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))


def stable_number(case_id: str) -> int:
    """A number for the nonces of a case that is the same in every run: a recorded conversation is asked for word by word."""
    return int.from_bytes(hashlib.sha256(case_id.encode()).digest()[:4]) % 10_000_000 * 100
