"""One job while it generates: the state of the model, of the sampler and of the text. `advance` does one piece of work and waits for nothing."""

from collections.abc import Iterator
from time import monotonic

from rollout_conformance.rollout_server.worker import sampler
from rollout_conformance.rollout_server.worker.jobs import Ended, EndReason, Event, Job, Prefilled, Scored, Token
from rollout_conformance.rollout_server.worker.model import Logits, Model
from rollout_conformance.rollout_server.worker.sampler import Sampler
from rollout_conformance.rollout_server.worker.text_assembly import TextAssembly
from rollout_conformance.rollout_server.worker.vocabulary import Vocabulary

PREFILL = 256  # tokens of a prompt that are read at once: other jobs and cancellation wait no longer


class Generation:
    """`advance` returns the events of its piece of work; after an `Ended` it must not be called again."""

    def __init__(self, job: Job, model: Model, vocabulary: Vocabulary) -> None:
        self.job, self.tokens_out = job, 0
        self._model, self._vocabulary = model, vocabulary
        self._cache = model.new_cache()
        self._sampler = Sampler(job.sampling, model.vocab_size)
        self._sampler.saw(job.prompt)
        self._text = TextAssembly(job.stop, keep_stop=job.keep_stop)
        self._scores: list[Scored] = []
        self._logits: Logits | None = None
        self._last: int | None = None
        self._began = monotonic()

    @property
    def tokens_held(self) -> int:
        """Tokens in the cache of the model."""
        return len(self.job.prompt) + self.tokens_out

    def advance(self) -> list[Event]:
        if self._logits is None:
            return [*self._prefill()]
        if self._last is not None:
            self._logits = self._model.read(self._cache, [self._last])[-1]
        return [*self._next_token(self._logits)]

    def _prefill(self) -> Iterator[Event]:
        start = self._cache.length
        chunk = self.job.prompt[start : start + PREFILL]
        logits = self._model.read(self._cache, chunk, last_only=not self.job.score_prompt)
        if self.job.score_prompt:
            known = self.job.prompt[start + 1 : start + 1 + len(chunk)]
            self._scores += [sampler.score(row, id)[0] for row, id in zip(logits, known, strict=False)]
        if self._cache.length == len(self.job.prompt):
            self._logits = logits[-1]
            self._began = monotonic()
            yield Prefilled(tuple(self._scores))

    def _next_token(self, logits: Logits) -> Iterator[Event]:
        id = self._sampler.choose(logits)
        self._sampler.saw([id])
        self._last = id
        scored, top = sampler.score(logits, id, self.job.alternatives)
        text = self._text.add(self._vocabulary.pieces[id])
        position, self.tokens_out = self.tokens_out, self.tokens_out + 1
        reason = self._reason(id)
        if reason is not None:
            text += self._text.flush()
        yield Token(position, scored, text, top, id in self._vocabulary.special)
        if reason is not None:
            yield self._ended(reason, id)

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
