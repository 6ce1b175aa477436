"""To execute a job: the verb that every case has. It drives, and never judges."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from rollout_conformance.steps.engine.trace import NotJson, Request, Response, parse
from rollout_conformance.steps.engine.verbs import phrase, verb
from rollout_conformance.steps.http.references import ResponseName
from rollout_conformance.steps.http.requests import RequestAction, filled_in, request_headers
from rollout_conformance.steps.http.responses import body_of, responses_of
from rollout_conformance.steps.profiles.worker.context import Running, WorkerSession, jobs
from rollout_conformance.steps.profiles.worker.dialects.base import integer
from rollout_conformance.steps.profiles.worker.events import Transcript
from rollout_conformance.steps.profiles.worker.job_reading import has_tokens, reading_of, transcript_of
from rollout_conformance.steps.profiles.worker.job_spec import JobSpec
from rollout_conformance.steps.profiles.worker.stop_choice import CHANGES, FIRST, later_stop, stop_position, stop_within
from rollout_conformance.steps.profiles.worker.view import JobResponse
from rollout_conformance.steps.sse.growing import GrowingReading
from rollout_conformance.steps.sse.streams import KEPT_EVENTS, Reading, read_stream, recorded

EVENTS_PER_TOKEN = 4
MOST_TOKENS = 32_768  # of a job that names no limit
FIRST_SEED = 1000


class _Unplayable(Exception):
    """A job cannot be sent as the case writes it: what it rests on did not come about."""


@verb(
    "execute",
    short="prompt",
    example=(
        "Hello!",
        "{name: a, prompt: Count to 20., max_tokens: 20, stop: ['5'], temperature: 0.7, seed: 42}",
        "{name: long, max_tokens: 2000, background: true}",
        "{prompt: Hello!, sampling: {top_p: 1.01}}",
    ),
)
@phrase("the client executes {prompt}")
@phrase("the client executes {prompt} with at most {max_tokens:int} token(s)")
@phrase("the client executes {prompt} with at most {max_tokens:int} tokens, not streamed", stream=False)
@phrase("the client executes {prompt} with at most {max_tokens:int} tokens at temperature {temperature:number}")
@phrase(
    "the client executes {prompt} with at most {max_tokens:int} tokens at temperature {temperature:number} and seed {seed:int}"
)
@phrase("the client executes {prompt} with at most {max_tokens:int} tokens in the background", background=True)
@phrase("the client executes {prompt} with at most {max_tokens:int} tokens, {times:int} times at the same time")
@phrase(
    "the client executes {prompt} with at most {max_tokens:int} tokens and disconnects after {disconnect_after:int} of them"
)
@phrase(
    "the client executes {prompt} with at most {max_tokens:int} tokens and a stop text that spans {stop_spans:int} tokens of {stop_from:response}"
)
@phrase("the client executes {prompt} with at most {max_tokens:int} token(s) as {name:word}")
@phrase(
    "the client executes {prompt} with a stop text of {stop_spans:int} token(s) of {stop_from:word} at its limit as {name:word}",
    max_tokens=40,
    stop_at_limit=True,
    example={"stop_from": "whole"},
)
@phrase("the client executes {prompt} with this body:", block="body", example={"body": "max_tokens: 0\ntemperature: 3"})
@phrase("the client executes {prompt} with at most {max_tokens:int} tokens as job {id}")
@dataclass(frozen=True, slots=True)
class Execute(RequestAction):
    """Send a job to the worker: at temperature 0, with at most 8 tokens and an id of its own where nothing else is written."""

    prompt: str = "Hello!"
    "The prompt. It is encoded by the tokenizer of the run in a dialect that takes token ids."
    repeat: int = 1
    "The prompt is this many copies of the text."
    opening: str = ""
    "A text before the prompt, as many copies of it as of the prompt."
    closing: str = ""
    "A text behind the prompt, once."
    id: str = "{session}-{name}"
    "The id of the job; `{session}` is the name of the case's own session, `{name}` that of the request."
    max_tokens: int | None = 8
    "The most tokens; null leaves the limit out of the request."
    temperature: float | None = 0.0
    "The temperature; null leaves it out."
    seed: int | None = None
    "The seed; absent where none is written."
    seed_from: ResponseName = ""
    "The response whose reported seed is used."
    distinct_seeds: bool = False
    "Whether each of several requests has a seed of its own."
    stop: tuple[str, ...] = ()
    "Stop texts."
    stop_from: ResponseName = ""
    "The response from whose text a stop text is taken."
    stop_spans: int = 2
    "How many tokens of that response the stop text spans."
    stop_before: tuple[str, ...] = ()
    "Stop texts that stand before the one that is taken, in the order of the request."
    stop_late: Literal["", "before", "behind"] = ""
    "Whether a second stop text, which comes later in that output, stands before or behind it in the request."
    stop_suffix: str = ""
    "A text behind the stop text that is taken, so that the output only begins as it does."
    stop_change: Literal["", "case", "spaces"] = ""
    "What is changed of the stop text that is taken, so that the output does not contain it: the case of its letters, or spaces around it."
    stop_at_limit: bool = False
    "Whether the limit of the job is the token that completes the stop text."
    stop_id_from: ResponseName = ""
    "The response from whose token ids a stop token is taken: the first one, from the third on, that does not occur before."
    others: tuple[str, ...] = ()
    "Further prompts of the same request, in a dialect that takes several; its response is no stream."
    samples: int = 1
    "How many outputs the prompt has, in a dialect that gives several; its response is no stream."
    excludes_from: ResponseName = ""
    "The response whose first three token ids the job excludes by its bias, in a dialect that has one."
    stop_repeat: int = 1
    "Each stop text is this many copies of the text."
    distinct_prompts: bool = False
    "Whether each of several requests has a prompt of its own: the text and a number."
    continues: ResponseName = ""
    "The response whose prompt and first tokens are the prompt of this job, in a dialect that takes token ids."
    continues_after: int = 1
    "How many of its tokens belong to the prompt."
    by_ids: bool = False
    "Whether the prompt is sent as token ids where the dialect takes both."
    stream: bool = True
    "Whether the response is a stream."
    shows: bool = True
    "Whether token ids and log probabilities are requested, in a dialect that has them on request."
    alternatives: int = 0
    "How many likely tokens are requested beside each one."
    scores_prompt: bool = False
    "Whether the log probabilities of the prompt are requested, in a dialect that has them."
    sampling: Mapping[str, object] = field(default_factory=dict)
    "Further members of the object that holds the sampling parameters, by their names in the dialect."
    body: Mapping[str, object] = field(default_factory=dict)
    "Further members of the body by their names in the dialect; objects are merged."
    without: tuple[str, ...] = ()
    "Members that the body does not have, such as `prompt` or `sampling_params.stop`."
    disconnect_after: int = 0
    "The number of events with tokens after which the client disconnects; 0 reads the stream to its end."
    headers: Mapping[str, str] = field(default_factory=dict)
    "Headers beside Content-Type and the key."

    async def send_one(self, session: WorkerSession, name: str, nth: int) -> None:
        try:
            spec = self._spec(session, name, nth)
        except _Unplayable as reason:
            session.state["unplayable"] = str(reason)
            return
        dialect = session.context.dialect
        running = jobs(session)[name] = Running(spec, asyncio.current_task())
        body = dialect.body(spec)
        request = Request(
            "POST",
            dialect.request_path(spec),
            request_headers(session, "right", self.headers),
            json.dumps(body).encode(),
        )
        began = session.trace.now()
        try:
            streamed = spec.stream or not dialect.whole_path
            response = await (self._streamed if streamed else _whole)(session, name, running, request)
        finally:
            running.done = True
        responses_of(session).keep(replace(response, request=body, began=began, read_at=time.time()))

    def _spec(self, session: WorkerSession, name: str, nth: int) -> JobSpec:
        """Raises `_Unplayable` where an earlier response does not show what the job is made of."""
        prompt = self._prompt(nth)
        stop, max_tokens = self._ending(session)
        seed = self._seed(session)
        return JobSpec(
            id=filled_in(session, self.id).replace("{name}", name).replace("#", "-"),
            prompt=prompt,
            prompt_ids=self._prompt_ids(session, prompt),
            by_ids=self.by_ids or bool(self.continues),
            max_tokens=max_tokens,
            temperature=self.temperature,
            seed=FIRST_SEED + nth if self.distinct_seeds else seed,
            stop=stop,
            stream=self.stream,
            shows=self.shows,
            has_text=session.context.card.declares("text"),
            ignores_eos=session.context.card.declares("ignore_eos"),
            sampling=self.sampling,
            more=self.body,
            without=self.without,
            alternatives=self.alternatives,
            scores_prompt=self.scores_prompt,
            stop_ids=self._stop_ids(session),
            excluded_ids=self._excluded_ids(session),
            others=self.others,
            samples=self.samples,
        )

    def _ending(self, session: WorkerSession) -> tuple[tuple[str, ...], int | None]:
        """The stop texts and the limit."""
        if not self.stop_from:
            return tuple(one * self.stop_repeat for one in self.stop), self.max_tokens
        source = _transcript(_earlier(session, self.stop_from))
        if self.stop_at_limit and source.tokens and _merged(source):
            raise _Unplayable("events hold several tokens, so how many there are before a stop text cannot be seen")
        taken = self._stops(source)
        if taken is None:
            what = f"text of {self.stop_spans} token(s)" if self.stop_spans else "token of four characters or more"
            raise _Unplayable(f"the output has no {what} that occurs only once")
        return taken

    def _stop_ids(self, session: WorkerSession) -> tuple[int, ...]:
        if not self.stop_id_from:
            return ()
        ids = _transcript(_earlier(session, self.stop_id_from)).ids or ()
        fitting = (id for n, id in enumerate(ids) if n >= FIRST and id not in ids[:n])
        found = next(fitting, None)
        if found is None:
            raise _Unplayable("the output has no token that occurs only once")
        return (found,)

    def _excluded_ids(self, session: WorkerSession) -> tuple[int, ...]:
        if not self.excludes_from:
            return ()
        ids = _transcript(_earlier(session, self.excludes_from)).ids
        if not ids:
            raise _Unplayable("no token ids are shown that could be excluded")
        return tuple(dict.fromkeys(ids[:FIRST]))

    def _seed(self, session: WorkerSession) -> int | None:
        if not self.seed_from:
            return self.seed
        reported = _transcript(_earlier(session, self.seed_from)).seed
        if type(reported) is not int:
            raise _Unplayable("the worker reports no seed")
        return reported

    def _prompt(self, nth: int) -> str:
        if self.distinct_prompts:
            return f"{self.prompt} {nth + 1}"
        return self.opening * self.repeat + self.prompt * self.repeat + self.closing

    def _prompt_ids(self, session: WorkerSession, prompt: str) -> tuple[int, ...]:
        if not self.continues:
            tokens = session.context.tokens
            return tuple(tokens.encode(prompt)) if tokens and session.context.dialect.takes_ids else ()
        source = _earlier(session, self.continues)
        ids = _transcript(source).ids
        if not isinstance(source, JobResponse) or ids is None or len(ids) <= self.continues_after:
            raise _Unplayable("too few token ids are shown to continue from")
        return (*source.spec.prompt_ids, *ids[: self.continues_after])

    def _stops(self, transcript: Transcript) -> tuple[tuple[str, ...], int | None] | None:
        """The stop texts and the limit of a job that ends within the output of another; None where that has no fitting text."""
        texts = transcript.token_texts
        taken = stop_within(texts, self.stop_spans, self.stop_change)
        if taken is None:
            return None
        limit = self.max_tokens
        if self.stop_at_limit:
            position = stop_position(texts, taken)
            if position is None:
                return None
            limit = position[1]
        late = later_stop(texts, taken) if self.stop_late else None
        if self.stop_late and late is None:
            return None
        before = (*self.stop_before, *([late] if late and self.stop_late == "before" else []))
        behind = (late,) if late and self.stop_late == "behind" else ()
        changed = CHANGES[self.stop_change](taken) if self.stop_change else taken
        return (*before, changed + self.stop_suffix, *behind), limit

    async def _streamed(self, session: WorkerSession, name: str, running: Running, request: Request) -> JobResponse:
        limit = self.max_tokens if self.max_tokens is not None else MOST_TOKENS
        n, dialect = len(session.trace.exchanges), session.context.dialect
        read = reading_of(dialect, session.context.framing, KEPT_EVENTS + EVENTS_PER_TOKEN * limit)

        def enough(reading: Reading) -> bool:
            running.reading = reading
            return running.left or (self.disconnect_after > 0 and has_tokens(reading, dialect, self.disconnect_after))

        try:
            n = await read_stream(session, request, read, enough, while_it_sends=True)
        except asyncio.CancelledError:
            if not running.left:
                raise
        left = running.left or (self.disconnect_after > 0 and has_tokens(read, dialect, self.disconnect_after))
        if left:
            read.fault = None
        raw = recorded(session, n, read)
        return _response(session, name, n, running.spec, read, raw, left)


def _response(
    session: WorkerSession, name: str, n: int, spec: JobSpec, read: Reading, raw: bytes, left: bool
) -> JobResponse:
    context = session.context
    ok = read.status is not None and 200 <= read.status < 300
    exchange = session.trace.exchanges[n]
    transcript = transcript_of(read, context.dialect, context.framing)
    body: object = NotJson("it is a stream") if ok else parse(raw) if raw else NotJson(read.fault or "it is empty")
    return JobResponse(
        name,
        n,
        {},
        read.status,
        body,
        tuple(read.chunks),
        left,
        raw=raw,
        headers=read.headers,
        fault=read.fault,
        elapsed_s=exchange.elapsed_s,
        late_s=session.late(session.trace.epoch + exchange.began),
        spec=spec,
        dialect=context.dialect,
        transcript=transcript,
        odd_bytes=read.odd_bytes if isinstance(read, GrowingReading) else b"",
    )


async def _whole(session: WorkerSession, name: str, running: Running, request: Request) -> JobResponse:
    n, context = len(session.trace.exchanges), session.context
    try:
        n = await session.send(request, rollout="-")
    except asyncio.CancelledError:
        if not running.left:
            raise
        left, spec, dialect = NotJson("the client left"), running.spec, context.dialect
        return JobResponse(name, n, {}, None, left, (), True, spec=spec, dialect=dialect, transcript=Transcript())
    exchange = session.trace.exchanges[n]
    found = body_of(exchange)
    response = exchange.response or Response(0)
    ok = exchange.response is not None and 200 <= response.status < 300
    return JobResponse(
        name,
        n,
        {},
        response.status if exchange.response else None,
        found,
        raw=response.body,
        headers=response.headers,
        fault=exchange.fault,
        elapsed_s=exchange.elapsed_s,
        late_s=session.late(session.trace.epoch + exchange.began),
        spec=running.spec,
        dialect=context.dialect,
        transcript=context.dialect.read_whole(found) if ok else Transcript(),
    )


def _earlier(session: WorkerSession, word: str) -> object:
    """The first response that a word means; None without one."""
    return next(iter(responses_of(session).named(word)), None)


def _transcript(response: object) -> Transcript:
    return response.transcript if isinstance(response, JobResponse) else Transcript()


def _merged(transcript: Transcript) -> bool:
    """Whether an event may hold several tokens, so that the place of a text does not show how many came before it."""
    counted = integer(transcript.end.tokens) if transcript.end else None
    known = counted if counted is not None else transcript.count
    return known != len(transcript.token_texts)
