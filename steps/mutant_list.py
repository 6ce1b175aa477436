"""The mutants of a reference server, as it lists them itself."""

import asyncio
import sys
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.suggestions import similar_names
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import DEFAULT, PROFILES, profile_of
from rollout_conformance.steps.profiles.parts import Mutants


@dataclass(frozen=True, slots=True)
class MutantInfo:
    """A mutant as it describes itself; `by` is the method that has to find it."""

    name: str
    requirement: str
    companions: tuple[str, ...]
    dialects: tuple[str, ...]
    what: str
    by: str


async def described(only: tuple[str, ...], profile: str = DEFAULT) -> list[str]:
    """A line for each mutant, and how one is served. Raises `SuiteError` for a name that is none."""
    lines = [f"{one.requirement}  {one.name:<24} {one.what}" for one in await listed(only, profile)]
    of = "" if profile == DEFAULT else f" --profile {profile}"
    return [*lines, "", f"One of them as a server: rollout-conformance serve mutant NAME{of}"]


async def listed(only: tuple[str, ...], profile: str = DEFAULT) -> list[MutantInfo]:
    """The mutants there are, or those named. Raises `SuiteError` for a name that is none."""
    module = mutants_of(profile).module
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdout=pipe, stderr=pipe, cwd=ROOT)
    out, errors = await process.communicate()
    if process.returncode:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise SuiteError(f"mutants: `python -m {module}` failed: {' '.join(last) or f'exit {process.returncode}'}")
    mutants = [_planted(line, module) for line in out.decode(errors="replace").splitlines()]
    unknown = set(only) - {mutant.name for mutant in mutants}
    if unknown or not mutants:
        near = [meant for name in sorted(unknown) for meant in similar_names(name, [one.name for one in mutants])]
        hint = f"Did you mean {' or '.join(near)}?" if near else f"`mutants --profile {profile} --list` shows them."
        raise SuiteError(
            f"no mutant of the profile {profile} is called {', '.join(sorted(unknown)) or 'anything'}. {hint}"
        )
    return [mutant for mutant in mutants if not only or mutant.name in only]


def mutants_of(profile: str) -> Mutants:
    """Raises `SuiteError` for a profile whose reference has none."""
    mutants = profile_of(profile).reference.mutants
    if mutants is None:
        known = ", ".join(one.name for one in PROFILES.working() if one.reference.mutants is not None)
        raise SuiteError(
            f"mutants --profile {profile}: its `reference` has no `mutants`. Give Reference(..., mutants=Mutants(module, variable)); "
            f"profiles that have them: {known}."
        )
    return mutants


def side_effects_of(profile: str) -> frozenset[str]:
    """What any defect may break along with its own requirement: the contract as a whole, and what the profile names."""
    fuzz = profile_of(profile).fuzz
    return mutants_of(profile).side_effects | (fuzz.requirements if fuzz is not None else frozenset())


class _Listed(BaseModel):
    """A line of `python -m MODULE`: one mutant. docs/add_a_profile.md describes it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    requirement: str
    companions: tuple[str, ...] = ()
    dialects: tuple[str, ...] = Field(min_length=1)
    what: str
    by: Literal["cases", "fuzzing", "exploration", "tests"] = "cases"


def _planted(line: str, module: str) -> MutantInfo:
    try:
        one = _Listed.model_validate_json(line)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'the line'}: {one['msg']}" for one in error.errors())
        raise SuiteError(
            f"mutants: `python -m {module}` printed {line[:120]!r}, which is not a mutant: {told}"
        ) from None
    return MutantInfo(one.name, one.requirement, one.companions, one.dialects, one.what, one.by)
