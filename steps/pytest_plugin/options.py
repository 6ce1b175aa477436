"""The options of pytest that belong to the suite."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

DEST = "rollout_conformance_"  # begins the attribute of each option, which another plugin may have by its plain name


@dataclass(frozen=True, slots=True)
class Options:
    """The values of the options, as they were given on the command line or in `addopts`."""

    profile: str | None = None
    dialect: str | None = None
    target: str | None = None
    card: Path | None = None
    target_key: str | None = None
    tokenizer: Path | None = None
    tokenizer_name: str | None = None
    model: str | None = None
    backend: str = "scripted"
    record: Path | None = None
    report: Path | None = None
    baseline: Path | None = None
    level: str = "must"
    nulls: str = "compat"
    contract: Path | None = None
    fuzz_examples: int | None = None
    fuzz_seed: int | None = None
    walks: int | None = None
    save_scenario: Path | None = None
    max_time: float | None = None
    patience: float | None = None
    wait: float = 0.0
    in_flight: int = 32


DEFAULTS = Options()
LEVELS = ("must", "should", "may")
SETTINGS: dict[str, dict[str, object]] = {
    "profile": {"help": "judge only the cases of this profile"},
    "dialect": {"help": "judge only this dialect"},
    "target": {"help": "app:module:factory | http://host:port | cmd:'command with {port}'"},
    "card": {"type": Path, "help": "YAML file that describes the target"},
    "target_key": {"help": "the key to send to the target"},
    "tokenizer": {"type": Path, "help": "local tokenizer directory that both sides use"},
    "tokenizer_name": {"help": "the name by which the target knows that tokenizer"},
    "model": {"help": "the model to request from the target (chat, router, live)"},
    "backend": {"metavar": "scripted|tiny|live|replay:DIR", "help": "what generates: the script or a live model"},
    "record": {"type": Path, "metavar": "DIR", "help": "record the responses of a live model in this folder"},
    "report": {"type": Path, "help": "write the NDJSON report here"},
    "baseline": {"type": Path, "help": "YAML list of known failures with their reasons"},
    "level": {"choices": LEVELS, "help": "the weakest level that fails"},
    "nulls": {"choices": ("compat", "strict"), "help": "whether a null member equals an absent one"},
    "contract": {"type": Path, "help": "fuzz the target by this OpenAPI file as well"},
    "fuzz_examples": {"type": int, "help": "generated requests per operation, at least"},
    "fuzz_seed": {"type": int, "help": "other generated requests than the ones of every run"},
    "walks": {"type": int, "help": "walks over the lifecycle of each dialect"},
    "save_scenario": {"type": Path, "metavar": "DIR", "help": "write what exploration finds to this folder"},
    "max_time": {"type": float, "metavar": "SECONDS", "help": "end after this time and show what was found"},
    "patience": {"type": float, "metavar": "SECONDS", "help": "how long a silent target is waited for"},
    "wait": {"type": float, "metavar": "SECONDS", "help": "how long a target that is still starting is waited for"},
    "in_flight": {"type": int, "help": "cases in flight at once"},
}


def add(parser: pytest.Parser) -> None:
    """Add the options. One whose name another plugin or a conftest has taken is left to that, and keeps its default here."""
    group = parser.getgroup("rollout-conformance")
    for name, settings in SETTINGS.items():
        try:
            group.addoption(
                f"--{name.replace('_', '-')}", dest=DEST + name, default=getattr(DEFAULTS, name), **settings
            )
        except (ValueError, argparse.ArgumentError):
            continue


def of(config: pytest.Config) -> Options:
    return Options(
        **{f.name: getattr(config.option, DEST + f.name, getattr(DEFAULTS, f.name)) for f in fields(Options)}
    )
