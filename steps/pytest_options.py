"""What `pytest` may be told on its command line, and the run that it asks for."""

import random
from pathlib import Path

import pytest

from rollout_conformance.steps.run_setup import RunOptions


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rollout-conformance")
    group.addoption("--profile", default=None, help="judge only the cases of this profile")
    group.addoption("--dialect", default=None, help="judge only this dialect")
    group.addoption("--target", default=None, help="app:module:factory | http://host:port | cmd:'command with {port}'")
    group.addoption("--card", default=None, type=Path, help="YAML file that describes the target")
    group.addoption("--target-key", default=None, help="the key to send to the target")
    group.addoption("--tokenizer", default=None, type=Path, help="local tokenizer directory that both sides use")
    group.addoption("--tokenizer-name", default=None, help="the name by which the target knows that tokenizer")
    group.addoption("--model", default=None, help="the model to ask the target for (chat, router, live)")
    group.addoption("--backend", default="scripted", metavar="scripted|live|replay:DIR", help="who plays the model")
    group.addoption("--record", default=None, type=Path, metavar="DIR", help="keep what a live model said here")
    group.addoption("--report", default=None, type=Path, help="write the NDJSON report here")
    group.addoption("--baseline", default=None, type=Path, help="YAML list of known failures with their reasons")
    group.addoption("--level", default="must", choices=["must", "should", "may"], help="the weakest level that fails")
    group.addoption("--nulls", default="compat", choices=["compat", "strict"], help="whether null and absent are one")
    group.addoption("--contract", default=None, type=Path, help="fuzz the target by this OpenAPI file as well")
    group.addoption("--fuzz-examples", default=None, type=int, help="generated requests an operation, at least")
    group.addoption("--fuzz-seed", default=None, type=int, help="other generated requests than those of every run")
    group.addoption("--walks", default=None, type=int, help="walks over the lifecycle of each dialect")
    group.addoption("--save-scenario", default=None, type=Path, metavar="DIR", help="keep what exploration finds here")
    group.addoption(
        "--max-time", default=None, type=float, metavar="SECONDS", help="end after so long and show what was found"
    )
    group.addoption("--in-flight", default=32, type=int, help="cases in flight at once")


def run_options_of(config: pytest.Config, profile: str) -> RunOptions:
    option = config.option
    return RunOptions(
        profile,
        option.dialect,
        option.target,
        option.card,
        option.target_key,
        option.tokenizer,
        option.tokenizer_name,
        level=option.level,
        strict=option.nulls == "strict",
        jobs=option.in_flight,
        backend=option.backend,
        record=option.record,
        model=option.model,
    )


def seed_of(config: pytest.Config) -> int | None:
    """None for the same requests and walks every time; a number with `--fuzz-seed`, or a random one under `-m nightly`."""
    if config.option.fuzz_seed is None and "nightly" in (config.option.markexpr or ""):
        config.option.fuzz_seed = random.SystemRandom().randrange(2**32)  # one for the whole run, shown at its end
    seed: int | None = config.option.fuzz_seed
    return seed
