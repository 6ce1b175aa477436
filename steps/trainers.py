"""Which trainers a server is fit for, as far as is known what they build on (contracts/trainers.yaml)."""

import functools
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rollout_conformance.steps.engine.findings import BROKEN, SuiteError, Verdict
from rollout_conformance.steps.paths import CONTRACTS

FILE = CONTRACTS / "trainers.yaml"


class Need(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    requirements: list[str] = Field(min_length=1)
    why: str
    source: str = Field(pattern=r"^https://\S+$")


class Trainer(BaseModel):
    """`needs` are what it builds on, of all profiles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    url: str = Field(pattern=r"^https://\S+$")
    needs: list[Need] = Field(min_length=1)

    def of(self, profile: str) -> set[str]:
        prefix = f"{profile.upper()}-"
        return {name for need in self.needs for name in need.requirements if name.startswith(prefix)}


@dataclass(frozen=True, slots=True)
class Fit:
    """What a run found of the requirements of one trainer."""

    trainer: Trainer
    broken: list[str]
    silent: list[str]

    @property
    def told(self) -> str:
        if self.broken:
            return f"broken: {', '.join(self.broken)}"
        return f"nothing seen broken; not judged: {', '.join(self.silent)}" if self.silent else "all requirements kept"


@functools.cache
def every() -> tuple[Trainer, ...]:
    """Raises `SuiteError` for an invalid file."""
    try:
        read: object = yaml.safe_load(FILE.read_text(encoding="utf-8"))
        return tuple(TypeAdapter(list[Trainer]).validate_python(read))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SuiteError(f"{FILE.name}: {error}") from None


def fits(profile: str, verdicts: Mapping[str, str]) -> list[Fit]:
    """What the verdicts of requirements mean for each trainer that builds on some of this profile."""
    found = []
    for trainer in every():
        needed = trainer.of(profile)
        if needed:
            broken = sorted(name for name in needed if verdicts.get(name) in BROKEN)
            silent = sorted(name for name in needed - set(broken) if verdicts.get(name) != Verdict.PASS)
            found.append(Fit(trainer, broken, silent))
    return found


def lines(profile: str, verdicts: Mapping[str, str], about: Set[str]) -> Iterator[str]:
    """As a run ends with it: the trainers of whose requirements at least half were broken, or judged by cases `about` them, a line for those
    of which the same was found. What a few cases show beside their own requirements says nothing about a trainer."""
    found = fits(profile, {name: one for name, one in verdicts.items() if name in about or one in BROKEN})
    told: dict[str, list[str]] = {}
    for one in found:
        if 2 * len(one.silent) <= len(one.trainer.of(profile)):
            told.setdefault(one.told, []).append(one.trainer.name)
    if told:
        yield "What trainers are known to build on (contracts/trainers.yaml has the sources):"
    yield from (f"  {', '.join(names)}: {what}" for what, names in told.items())
