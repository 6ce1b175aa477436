"""Measurements of a worker, as a report without a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import quantiles

from rollout_conformance.steps.harness.settings import PROMPTS
from rollout_conformance.steps.harness.worker import Worker
from rollout_conformance.steps.profiles.worker.view import JobResponse

MILLISECONDS = 1000
PERCENTILES = 100


@dataclass(frozen=True, slots=True)
class Profile:
    """Of `jobs` jobs that ended by themselves. Times in milliseconds; memory is that of the process at the end."""

    jobs: int
    failed: int
    first_token_p50_ms: float
    first_token_p99_ms: float
    between_tokens_p50_ms: float
    between_tokens_p99_ms: float
    tokens_per_s: float
    memory_bytes: int | None

    def report(self) -> str:
        memory = "unknown" if self.memory_bytes is None else f"{self.memory_bytes / 2**20:.0f} MiB"
        return (
            f"{self.jobs} jobs, {self.failed} without an end of their own\n"
            f"first token    p50 {self.first_token_p50_ms:.1f} ms, p99 {self.first_token_p99_ms:.1f} ms\n"
            f"between tokens p50 {self.between_tokens_p50_ms:.2f} ms, p99 {self.between_tokens_p99_ms:.2f} ms\n"
            f"{self.tokens_per_s:.0f} tokens a second, memory {memory}"
        )


def profile(
    worker: Worker, *, jobs: int = 8, concurrent: int = 1, max_tokens: int = 64, prompt: str = "Hello!"
) -> Profile:
    """Runs jobs, so many at the same time. Seeds differ, so that no two are equal. Raises `ValueError` when none ended by itself."""
    done: list[JobResponse] = []
    for first in range(0, jobs, concurrent):
        numbers = range(first, min(first + concurrent, jobs))
        running = [worker.begin(prompt, max_tokens=max_tokens, seed=number) for number in numbers]
        done += [one.result() for one in running]
    good = [one for one in done if one.ran_out and one.transcript.tokens]
    if not good:
        raise ValueError("no job ended by itself")
    first_tokens = [(one.first_token_at() or 0.0) * MILLISECONDS for one in good]
    gaps = [gap for one in good for gap in _gaps(one)] or [0.0]
    return Profile(
        jobs=len(good),
        failed=len(done) - len(good),
        first_token_p50_ms=_percentile(first_tokens, 50),
        first_token_p99_ms=_percentile(first_tokens, 99),
        between_tokens_p50_ms=_percentile(gaps, 50),
        between_tokens_p99_ms=_percentile(gaps, 99),
        tokens_per_s=_rate(good, concurrent),
        memory_bytes=worker.memory_bytes(),
    )


def profiles(
    worker: Worker,
    classes: Mapping[str, str] | None = None,
    *,
    jobs: int = 8,
    concurrent: int = 1,
    max_tokens: int = 64,
) -> dict[str, Profile]:
    """The same for each class of prompts, by its name: default `PROMPTS`. Raises `ValueError` as `profile` does."""
    prompts = classes or {name: one.text for name, one in PROMPTS.items()}
    return {
        name: profile(worker, jobs=jobs, concurrent=concurrent, max_tokens=max_tokens, prompt=prompt)
        for name, prompt in prompts.items()
    }


def table(measured: Mapping[str, Profile]) -> str:
    """Measurements by class, a line each, times in milliseconds."""
    head = f"{'class':<12} first p50  first p99  between p50  between p99  tokens/s"
    rows = [
        f"{name:<12} {one.first_token_p50_ms:9.1f}  {one.first_token_p99_ms:9.1f}  {one.between_tokens_p50_ms:11.2f}"
        f"  {one.between_tokens_p99_ms:11.2f}  {one.tokens_per_s:8.0f}"
        for name, one in measured.items()
    ]
    return "\n".join([head, *rows])


def _gaps(job: JobResponse) -> list[float]:
    times = [job.chunks[token.at].at for token in job.transcript.tokens]
    return [(after - before) * MILLISECONDS for before, after in pairwise(times)]


def _percentile(values: Sequence[float], number: int) -> float:
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=PERCENTILES, method="inclusive")[number - 1]


def _rate(jobs: Sequence[JobResponse], concurrent: int) -> float:
    """Tokens a second of all jobs together."""
    tokens = sum(len(one.transcript.tokens) for one in jobs)
    return tokens / (sum(one.elapsed_s or 0.0 for one in jobs) / concurrent)
