"""Turns of a real model: the one of the reference worker, in place of the rules. Everything else of the server stays as it is.

What the request constrains, by `response_format` or by a `tool_choice` that requires a call, is not sampled token by token under a grammar: it
is the text that the rules give. Its log probabilities are those of the model when each token that it finds likelier is excluded, as a grammar
excludes tokens.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from rollout_conformance.rollout_server.common.errors import ApiError
from rollout_conformance.rollout_server.inference import chat_prompt, errors, sampling, token_weights, tool_call_parser
from rollout_conformance.rollout_server.inference.fake_logprobs import Scorer, top_count
from rollout_conformance.rollout_server.inference.sampling import Choice, Ending
from rollout_conformance.rollout_server.inference.settings import Settings
from rollout_conformance.rollout_server.inference.tool_call_parser import Call
from rollout_conformance.rollout_server.inference.wire import ChatRequest
from rollout_conformance.rollout_server.worker import settings as worker_settings
from rollout_conformance.rollout_server.worker.job_stream import events
from rollout_conformance.rollout_server.worker.jobs import Event, Failed, Job, Ranking, Sampling, Scored, Token
from rollout_conformance.rollout_server.worker.native import SEEDS, Result, add
from rollout_conformance.rollout_server.worker.worker import Worker
from rollout_conformance.rollout_server.worker.worker import create as create_worker

SLOTS = 16
REASONS = {"max_tokens": "length", "stop_sequence": "stop", "eos": "stop"}


@dataclass(slots=True)
class GrowingChoice:
    """What `Choice` has, while it is sampled. `finish_reason` is None until it ends."""

    index: int = 0
    text: str = ""
    texts: list[str] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    calls: tuple[Call, ...] = ()
    finish_reason: str | None = None
    stop_reason: str | None = None

    def add(self, token: Token, entries: Sequence[dict[str, Any]]) -> None:
        self.text += token.text
        self.texts.append(token.text)
        self.token_ids.append(token.scored.id)
        self.logprobs += entries
        if token.end is not None:
            self.finish_reason, self.stop_reason = REASONS[token.end.reason], token.end.matched


@dataclass(frozen=True, slots=True)
class ModelSampler:
    worker: Worker
    scorer: Scorer

    async def choices(self, request: ChatRequest, prompt: Sequence[int], room: int, count: int) -> list[Choice]:
        """All choices of a request, computed together. They end when the caller is cancelled. Raises `ApiError` 500."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._choice(request, prompt, room, index)) for index in range(count)]
        return [task.result() for task in tasks]

    async def _choice(self, request: ChatRequest, prompt: Sequence[int], room: int, index: int) -> Choice:
        if is_constrained(request):
            return await self._scored(request, prompt, room, index)
        most = sampling.limit(request, room)
        result = await self._run(job(request, prompt, most, index))
        assert result.ended is not None
        ending = Ending(len(result.tokens), None, REASONS[result.ended.reason], result.ended.matched)
        texts = tuple(token.text for token in result.tokens)
        return self._made(
            request, index, texts, result.ids, [(token.scored, token.top) for token in result.tokens], ending
        )

    async def _scored(self, request: ChatRequest, prompt: Sequence[int], room: int, index: int) -> Choice:
        """A turn of the rules, read by the model."""
        made = sampling.sample(self.scorer, request, prompt, index, room)
        ids = (*prompt, *made.token_ids)
        if not request.logprobs:
            return made
        whole = self.worker.vocabulary.size
        read = Job(uuid4().hex, ids, 1, Sampling(0, 0.0), score_prompt=True, prompt_alternatives=whole)
        scores = (await self._run(read)).scores[len(prompt) - 1 :]
        limited = [only_likeliest(ranking, top_count(request)) for ranking in scores]
        return replace(made, logprobs=self._entries(request, limited))

    async def growing(
        self, request: ChatRequest, prompt: Sequence[int], room: int
    ) -> AsyncIterator[tuple[GrowingChoice, int]]:
        """The only choice of a request without calls, with each token when it is sampled. Raises `ApiError` 500."""
        choice = GrowingChoice()
        async for event in self._events(job(request, prompt, sampling.limit(request, room), 0)):
            if isinstance(event, Token):
                choice.add(event, self._entries(request, [(event.scored, event.top)]))
                yield choice, event.i

    async def _run(self, wanted: Job) -> Result:
        result = Result()
        async for event in self._events(wanted):
            add(result, event)
        return result

    async def _events(self, wanted: Job) -> AsyncIterator[Event]:
        scheduler = self.worker.ready()
        ticket = scheduler.submit(wanted)
        try:
            async for event in events(ticket):
                if isinstance(event, Failed):
                    raise failed()
                yield event
        finally:
            scheduler.abandon(ticket)

    def _made(
        self,
        request: ChatRequest,
        index: int,
        texts: tuple[str, ...],
        ids: Sequence[int],
        scores: Sequence[Ranking],
        ending: Ending,
    ) -> Choice:
        text = "".join(texts)
        # Without a stream a call that the limit cut is text, as in vLLM: what is no JSON is no call. In a stream its parts have been sent.
        is_cut = bool(request.stream) and ending.finish_reason == "length"
        calls = tool_call_parser.parse(request, text, is_cut=is_cut)
        calls = calls[:1] if request.parallel_tool_calls is False else calls
        reason = sampling.finish_reason(request, ending, calls)
        logprobs = self._entries(request, scores)
        return Choice(
            index=index,
            texts=texts,
            text=text,
            token_ids=tuple(ids),
            logprobs=logprobs,
            calls=calls,
            finish_reason=reason,
            stop_reason=ending.stop_reason,
        )

    def _entries(self, request: ChatRequest, scores: Sequence[Ranking]) -> tuple[dict[str, Any], ...]:
        if not request.logprobs:
            return ()
        return tuple(self._entry(one) | {"top_logprobs": [self._entry(other) for other in top]} for one, top in scores)

    def _entry(self, one: Scored) -> dict[str, Any]:
        return self.scorer.token_entry(one.id, one.logprob)


def grows(request: ChatRequest, count: int) -> bool:
    """Whether each token can be sent when it is sampled. Where calls are possible, the whole text says which tokens belong to one."""
    return count == 1 and not is_constrained(request) and chat_prompt.mode(request) == "none"


def only_likeliest(ranking: Ranking, count: int) -> Ranking:
    """A token and its likeliest alternatives, from a ranking of the whole vocabulary without the tokens that are likelier."""
    own, every = ranking
    left = [own, *(one for one in every if one.id != own.id and one.logprob <= own.logprob)]
    weight = math.log(math.fsum(math.exp(one.logprob) for one in left))
    rest = tuple(Scored(one.id, one.logprob - weight, rank) for rank, one in enumerate(left, 1))
    return rest[0], rest[:count]


def is_constrained(request: ChatRequest) -> bool:
    form = request.response_format
    return chat_prompt.mode(request) in ("required", "named") or (form is not None and form.type != "text")


def job(request: ChatRequest, prompt: Sequence[int], most: int, index: int) -> Job:
    """Choices of a request differ by their seeds."""
    seed = (sampling.seed(request) + index) % SEEDS
    temperature = 1.0 if request.temperature is None else request.temperature
    return Job(
        uuid4().hex,
        tuple(prompt),
        most,
        Sampling(
            seed,
            temperature,
            1.0 if request.top_p is None else request.top_p,
            frequency_penalty=token_weights.frequency_penalty(request),
            presence_penalty=token_weights.presence_penalty(request),
            bias=tuple(token_weights.bias(request).items()),
        ),
        tuple(sampling.stops(request)),
        ignore_eos=request.ignore_eos,
        keep_invalid=True,
        alternatives=top_count(request) if request.logprobs else 0,
    )


def failed() -> ApiError:
    return errors.from_status(500, "The model failed")


def create(settings: Settings, scorer: Scorer) -> ModelSampler | None:
    """None for a server that generates by rules. Raises `SettingsError` when there is no usable model."""
    if settings.weights is None:
        return None
    wanted = worker_settings.load(
        stub=False,
        name=settings.model,
        model=settings.weights,
        tokenizer=settings.tokenizer,
        context=settings.max_model_len,
        slots=SLOTS,
        queue=settings.max_queue,
        token_delay_s=0.0,
        load_delay_s=0.0,
        log_level="off",
    )
    return ModelSampler(create_worker(wanted), scorer)
