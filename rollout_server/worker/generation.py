"""One job while it generates: the state of the model, of the sampler and of the text. It computes no
logits: the scheduler lets the model read for all jobs at once."""

from collections.abc import Iterator
from time import monotonic

import numpy as np

from rollout_conformance.rollout_server.worker import choices, sampler
from rollout_conformance.rollout_server.worker.jobs import Ended, EndReason, Event, Job, Prefilled, Ranking, Token
from rollout_conformance.rollout_server.worker.model import Logits, Model, Read
from rollout_conformance.rollout_server.worker.sampler import EXCLUDED, Sampler
from rollout_conformance.rollout_server.worker.text_assembly import TextAssembly
from rollout_conformance.rollout_server.worker.vocabulary import Vocabulary

PREFILL = 256  # tokens of a prompt that are read at once: other jobs and cancellation wait no longer


class Generation:
    """`take` returns the events of the logits of `next_read`; after an `Ended` neither is called again."""

    def __init__(self, job: Job, model: Model, vocabulary: Vocabulary) -> None:
        self.job, self.tokens_out = job, 0
        self._model, self._vocabulary = model, vocabulary
        self._cache = model.new_cache()
        self._sampler = Sampler(job.sampling, model.vocab_size)
        self._sampler.saw(job.prompt)
        self._text = TextAssembly(job.stop, keep_stop=job.keep_stop, keep_invalid=job.keep_invalid)
        self._scores: list[Ranking] = []
        self._last: int | None = None
        self._written = b""
        self._began = monotonic()

    @property
    def tokens_held(self) -> int:
        """Tokens in the cache of the model."""
        return len(self.job.prompt) + self.tokens_out

    @property
    def is_prefilling(self) -> bool:
        return self._last is None

    def next_read(self) -> Read:
        """What the model has to read before the next event."""
        if self._last is not None:
            return Read(self._cache, [self._last])
        start = self._cache.length
        return Read(self._cache, self.job.prompt[start : start + PREFILL], self.job.score_prompt)

    def take(self, logits: Logits) -> list[Event]:
        """The events that follow from what was read."""
        if self._last is not None:
            return [*self._next_token(logits[-1])]
        if self.job.score_prompt:
            self._score(logits)
        if self._cache.length < len(self.job.prompt):
            return []
        self._began = monotonic()
        return [Prefilled(tuple(self._scores)), *self._next_token(logits[-1])]

    def _score(self, logits: Logits) -> None:
        end = self._cache.length
        following = self.job.prompt[end - len(logits) + 1 : end + 1]
        self._scores += [
            sampler.score(row, id, self.job.prompt_alternatives) for row, id in zip(logits, following, strict=False)
        ]

    def _next_token(self, logits: Logits) -> Iterator[Event]:
        id = self._sampler.choose(self._continuing(logits))
        self._sampler.saw([id])
        self._last = id
        scored, top = sampler.score(logits, id, self.job.alternatives)
        self._written += self._vocabulary.pieces[id] if self.job.choices else b""
        text = self._text.add(self._vocabulary.pieces[id])
        position, self.tokens_out = self.tokens_out, self.tokens_out + 1
        reason = self._reason(id)
        if reason is not None:
            text += self._text.flush()
        ended = None if reason is None else self._ended(reason, id)
        yield Token(position, scored, text, top, id in self._vocabulary.special, ended)
        if ended is not None:
            yield ended

    def _continuing(self, logits: Logits) -> Logits:
        """The logits without what the grammar does not permit, or would end the job before its minimum of tokens."""
        if self.job.choices:
            return self._permitted(logits)
        if self.tokens_out >= self.job.min_tokens:
            return logits
        ends = [id for id in (*self.job.stop_ids, self._model.eos) if id < len(logits)]
        kept = logits.copy()
        kept[ends] = EXCLUDED
        return kept

    def _permitted(self, logits: Logits) -> Logits:
        allowed = [*choices.permitted(self.job.choices, self._written, self._vocabulary)]
        kept = np.full_like(logits, EXCLUDED)
        kept[allowed] = logits[allowed]
        return kept

    def _reason(self, id: int) -> EndReason | None:
        """A stop text on the last token counts as a stop text."""
        if self._text.matched is not None or id in self.job.stop_ids:
            return "stop_sequence"
        if id == self._model.eos and not self.job.ignore_eos:
            return "eos"
        return "max_tokens" if self.tokens_out >= self.job.max_tokens else None

    def _ended(self, reason: EndReason, id: int) -> Ended:
        stop_id = id if reason == "stop_sequence" and self._text.matched is None else None
        return Ended(reason, self.tokens_out, monotonic() - self._began, self._text.matched, stop_id)
