"""The run that the options of pytest ask for."""

import random

import pytest

from rollout_conformance.steps.pytest_plugin import options
from rollout_conformance.steps.run_setup import RunOptions

_seed = pytest.StashKey[int | None]()


def run_options_of(config: pytest.Config, profile: str) -> RunOptions:
    given = options.of(config)
    return RunOptions(
        profile,
        given.dialect,
        given.target,
        given.card,
        given.target_key,
        given.tokenizer,
        given.tokenizer_name,
        level=given.level,
        strict=given.nulls == "strict",
        jobs=given.in_flight,
        backend=given.backend,
        record=given.record,
        model=given.model,
        patience=given.patience,
        wait=given.wait,
    )


def seed_of(config: pytest.Config) -> int | None:
    """None for the same requests and walks every time; a number with `--fuzz-seed`, or a random one under `-m nightly`."""
    if _seed not in config.stash:
        config.stash[_seed] = options.of(config).fuzz_seed
        if config.stash[_seed] is None and "nightly" in (config.option.markexpr or ""):
            config.stash[_seed] = random.SystemRandom().randrange(2**32)  # one for the whole run, shown at its end
    return config.stash[_seed]
