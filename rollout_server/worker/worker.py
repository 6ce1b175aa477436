"""The worker without HTTP: its model, its scheduler, and the loop that drives it."""

import asyncio
import contextlib
import resource
from dataclasses import dataclass, field
from typing import Any

from rollout_conformance.rollout_server.common import logs
from rollout_conformance.rollout_server.common.settings import SettingsError
from rollout_conformance.rollout_server.worker import model_files, vocabulary
from rollout_conformance.rollout_server.worker.metrics import Metrics
from rollout_conformance.rollout_server.worker.model import Model
from rollout_conformance.rollout_server.worker.qwen3 import Qwen3
from rollout_conformance.rollout_server.worker.scheduler import ClosingError, Limits, Scheduler
from rollout_conformance.rollout_server.worker.settings import STUB_DELAY_S, Settings
from rollout_conformance.rollout_server.worker.stub_model import CONTEXT, StubModel
from rollout_conformance.rollout_server.worker.vocabulary import Vocabulary

KIBIBYTE = 1024


@dataclass(slots=True)
class Worker:
    """`scheduler` is None while the model is loaded."""

    settings: Settings
    vocabulary: Vocabulary
    log: Any
    metrics: Metrics = field(default_factory=Metrics)
    scheduler: Scheduler | None = None

    def ready(self) -> Scheduler:
        """Raises `ClosingError` while jobs are refused."""
        if self.scheduler is None or self.scheduler.closing:
            raise ClosingError
        return self.scheduler

    @property
    def status(self) -> str:
        if self.scheduler is None:
            return "starting"
        return "shutting_down" if self.scheduler.closing else "healthy"

    def load(self) -> None:
        model = load_model(self.settings, self.vocabulary)
        limits = self.settings
        self.scheduler = Scheduler(
            model,
            self.vocabulary,
            Limits(limits.slots, limits.queue, limits.cache_tokens, limits.job_timeout_s, limits.fail_after),
            self.metrics,
            lambda error: self.log.error("inference_failed", error=logs.location(error)),
        )

    def close(self) -> None:
        """Refuse new jobs; those that run have `drain_s` to end."""
        if self.scheduler is None or self.scheduler.closing:
            return
        self.scheduler.close()
        asyncio.get_running_loop().call_later(self.settings.drain_s, self.scheduler.fail_all, "WORKER_UNHEALTHY")

    @contextlib.asynccontextmanager
    async def running(self) -> Any:
        working = asyncio.create_task(self._work())
        try:
            yield
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _work(self) -> None:
        if self.scheduler is None:
            await asyncio.sleep(self.settings.load_delay_s)
            self.load()
        assert self.scheduler is not None
        delay_s = token_delay_s(self.settings)
        while True:
            await self.scheduler.awake.wait()
            await asyncio.sleep(delay_s)
            # One more turn of the loop: who waits for a token waits again before the next one, and can be cancelled there. Starlette
            # cancels only what waits, and would find the wait over every time.
            await asyncio.sleep(0)
            self.scheduler.tick()


def token_delay_s(settings: Settings) -> float:
    if settings.token_delay_s is not None:
        return settings.token_delay_s
    return STUB_DELAY_S if settings.stub else 0.0


def load_model(settings: Settings, vocabulary: Vocabulary) -> Model:
    """Raises `SettingsError` when the directory holds no usable model, or one with another vocabulary."""
    if settings.stub:
        return StubModel(vocabulary.tokenizer, vocabulary.size, vocabulary.eos, settings.context or CONTEXT)
    model = Qwen3(settings.name, model_files.load(settings.model, "WORKER_MODEL"), settings.context)
    if model.vocab_size != vocabulary.size:
        raise SettingsError(
            f"WORKER_MODEL: {model.vocab_size} tokens, where the tokenizer of WORKER_TOKENIZER has {vocabulary.size}"
        )
    return model


def memory_bytes() -> int:
    """The most memory that this process has had: the worker computes on the CPU, and its weights are in it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE


def create(settings: Settings) -> Worker:
    """Raises `SettingsError` when there is no usable tokenizer or model."""
    worker = Worker(settings, vocabulary.load(settings.tokenizer, "WORKER_TOKENIZER"), logs.create(settings.log_level))
    if not settings.load_delay_s:
        worker.load()
    return worker
