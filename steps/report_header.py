"""The first line of a report: what was judged, and how."""

from typing import Protocol

from rollout_conformance.steps.engine import environment
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.run_setup import RunOptions


class DescribedRun(Protocol):
    """What a report says of a run, wherever it is played."""

    @property
    def options(self) -> RunOptions: ...
    @property
    def profile(self) -> Profile: ...
    @property
    def dialects(self) -> tuple[str, ...]: ...
    @property
    def target(self) -> str: ...
    @property
    def tokenizer_hash(self) -> str: ...
    @property
    def model(self) -> str | None: ...


def of_run(run: DescribedRun) -> dict[str, object]:
    """The header of a run that is ready."""
    return {
        "profile": run.profile.name,
        "dialects": list(run.dialects),
        "target": redacted(run.target),
        "tokenizer": run.tokenizer_hash,
        **_options(run.options),
        "card": str(run.options.card) if run.options.card else None,
        "backend": run.options.backend,
        "jobs": run.options.jobs,
        "model": run.model,
        "environment": environment.facts(),
    }


def of_options(options: RunOptions) -> dict[str, object]:
    """The header of a run that ended before it was ready."""
    return {
        "profile": options.profile,
        "dialects": [options.dialect] if options.dialect else [],
        "target": redacted(options.target or profile_of(options.profile).reference.app),
        "tokenizer": None,
        **_options(options),
    }


def _options(options: RunOptions) -> dict[str, object]:
    return {"nulls": "strict" if options.strict else "compat", "level": options.level}
