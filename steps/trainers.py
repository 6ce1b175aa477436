"""Which trainers a server is fit for, as far as is known what they build on (contracts/trainers.yaml)."""

import functools
from collections.abc import Iterator, Mapping
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
    def state(self) -> str:
        return "broken" if self.broken else "not judged" if self.silent else "kept"


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


def lines(profile: str, verdicts: Mapping[str, str]) -> Iterator[str]:
    """As a run ends with it: of each trainer of whose requirements at least half were judged."""
    found = [one for one in fits(profile, verdicts) if 2 * len(one.silent) <= len(one.trainer.of(profile))]
    if found:
        yield "What trainers are known to build on (contracts/trainers.yaml has the sources):"
    for one in found:
        total = len(one.trainer.of(profile))
        if one.broken:
            yield f"  {one.trainer.name}: broken: {', '.join(one.broken)}"
        elif one.silent:
            yield f"  {one.trainer.name}: nothing seen broken; not judged: {', '.join(one.silent)}"
        else:
            yield f"  {one.trainer.name}: all {total} requirements kept"
