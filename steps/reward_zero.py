"""Why a reward is zero: the causes in the order of their likelihood, and what a run found of each (contracts/reward_zero.yaml)."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rollout_conformance.steps.engine.findings import BROKEN, SuiteError, Verdict
from rollout_conformance.steps.paths import CONTRACTS

FILE = CONTRACTS / "reward_zero.yaml"


class Cause(BaseModel):
    """`seen` is what a user sees of it, `requirements` what finds it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: str
    seen: str
    requirements: list[str] = Field(min_length=1)
    sources: list[str] = []


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of a cause: the requirements that are broken, and how many were judged and kept."""

    cause: Cause
    broken: list[str]
    kept: int


@functools.cache
def every() -> Mapping[str, list[Cause]]:
    """The causes by profile. Raises `SuiteError` for an invalid file."""
    try:
        read: object = yaml.safe_load(FILE.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, list[Cause]]).validate_python(read)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SuiteError(f"{FILE.name}: {error}") from None


def causes(profile: str) -> list[Cause]:
    """Raises `SuiteError` for a profile of which no causes are known."""
    found = every().get(profile)
    if not found:
        raise SuiteError(f"--profile {profile}: doctor knows the profiles {', '.join(every())}.")
    return found


def diagnoses(profile: str, verdicts: Mapping[str, str], first: Sequence[str] = ()) -> list[Diagnosis]:
    """The causes with what was found, in the order of their likelihood. Evidence goes before likelihood: what broke `first` in the cases
    comes first."""
    found = [
        Diagnosis(
            one,
            [name for name in one.requirements if verdicts.get(name) in BROKEN],
            sum(verdicts.get(name) == Verdict.PASS for name in one.requirements),
        )
        for one in causes(profile)
    ]
    place = {name: n for n, name in enumerate(first)}
    return sorted(found, key=lambda one: min((place.get(name, len(place)) for name in one.broken), default=len(place)))


def lines(found: list[Diagnosis]) -> Iterator[str]:
    """What is broken first, each with what one sees of it; then what is sound and what was not judged."""
    for one in found:
        if one.broken:
            yield f"BROKEN  {one.cause.cause}"
            yield f"  what you see  {one.cause.seen}"
            yield f"  requirements  {', '.join(one.broken)}"
            yield from (f"  also seen in  {source}" for source in one.cause.sources)
            yield ""
    for one in found:
        if not one.broken:
            state = f"{one.kept} kept" if one.kept else "not judged: no case about it applies to this target"
            yield f"{'sound' if one.kept else '?':<6}  {one.cause.cause}  ({state})"
    yield ""
    yield sentence(found)


def sentence(found: list[Diagnosis]) -> str:
    broken = [one for one in found if one.broken]
    if broken:
        return f"Most likely: {broken[0].cause.cause} `explain {broken[0].broken[0]}` has the details."
    silent = sum(not one.kept for one in found)
    open_ = f" {silent} of {len(found)} causes could not be judged." if silent else ""
    if silent == len(found):
        return f"Nothing could be judged.{open_}"
    return (
        f"Nothing at this seam was seen that makes a reward zero: look at the task, the grader and the policy.{open_}"
    )
