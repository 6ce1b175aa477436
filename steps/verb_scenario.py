"""Scenario files of the profiles whose cases are plain lists of verbs: one template, and a vocabulary for each."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.case_template import CaseTemplate, requirement
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.cases import Case, Live, Step
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.suggestions import similar_names
from rollout_conformance.steps.engine.verb_parsing import plain
from rollout_conformance.steps.engine.yaml_source import Path_, Source
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.chat import vocabulary as chat
from rollout_conformance.steps.profiles.router import vocabulary as router
from rollout_conformance.steps.profiles.trainer import vocabulary as trainer
from rollout_conformance.steps.scenario_model import CaseName

VOCABULARIES: Mapping[str, Any] = {"trainer": trainer, "chat": chat, "router": router}


class VerbCase(BaseModel):
    """One case. `steps` are what the suite does, in order; `expect` what must come of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: CaseName
    requirements: list[str] = Field(min_length=1, description="the first is what a failure accuses")
    dialects: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    needs: list[str] = Field(default_factory=list)
    variant: str = Field("", description="on the instance of the target that the card configures under this name")
    alone: bool = Field(False, description="on an instance of the target that no other case uses")
    steps: list[str | dict[str, Any]] = Field(min_length=1)
    expect: list[str | dict[str, Any]] = Field(default_factory=list)
    live: bool = Field(True, description="whether all expectations hold whatever a real model says")


class VerbFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tags: list[str] = Field(default_factory=list, description="of every case of this file")
    cases: list[VerbCase] = Field(min_length=1)


def schema(profile: str) -> dict[str, Any]:
    """The JSON schema of a scenario file, with the verbs that a step and an expectation may be."""
    vocabulary = VOCABULARIES[profile]
    made = VerbFile.model_json_schema()
    case = made["$defs"]["VerbCase"]["properties"]
    for key, known in (("steps", vocabulary.ACTIONS), ("expect", vocabulary.EXPECTATIONS)):
        case[key]["items"] = yaml_source.verbs_schema(known)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def compiled(source: Source, profile: Profile) -> list[Case]:
    """The cases of a document, one for each dialect. Raises `SuiteError` that lists every mistake with file:line:column."""
    model = yaml_source.validated(VerbFile, source)
    names: dict[str, int] = {}
    problems = ErrorCollector()
    cases: list[Case] = []
    for n, case in enumerate(model.cases):
        path: Path_ = ("cases", n)
        if case.name in names:
            problems.add(
                str(
                    source.problem(
                        (*path, "name"), f"the name {case.name!r} is taken by case {names[case.name] + 1} of this file"
                    )
                )
            )
        names[case.name] = n
        cases += problems.attempt(lambda path=path, case=case: _cases(source, path, case, profile, model.tags)) or ()  # type: ignore[misc]
    problems.conclude()
    return cases


def _cases(source: Source, path: Path_, case: VerbCase, profile: Profile, tags: Sequence[str]) -> list[Case]:
    vocabulary = VOCABULARIES[profile.name]
    problems = ErrorCollector()
    known = [
        problems.attempt(functools.partial(known_requirement, source, (*path, "requirements", n), name, profile))
        for n, name in enumerate(case.requirements)
    ]
    steps = [
        problems.attempt(functools.partial(step, source, (*path, key, n), w, verbs, what))
        for key, written, verbs, what in (
            ("steps", case.steps, vocabulary.ACTIONS, "step"),
            ("expect", case.expect, vocabulary.EXPECTATIONS, "expectation"),
        )
        for n, w in enumerate(written)
    ]
    problems.conclude()
    return CaseTemplate(
        profile,
        case.name,
        [entry for entry in known if entry is not None],
        tuple(one for one in steps if one is not None),
        source.at((*path, "name")),
        case.dialects,
        (*tags, *case.tags),
        frozenset(case.needs),
        case.variant,
        case.alone,
        Live() if case.live else None,
        {part: source.at((*path, part)) for part in ("dialects", "needs", "tags")},
    ).cases()


def known_requirement(source: Source, path: Path_, name: str, profile: Profile) -> Requirement:
    try:
        return requirement(profile, name)
    except ValueError as error:
        raise source.problem(path, str(error)) from None


def step(source: Source, path: Path_, written: Any, known: Mapping[str, Callable[[Any], Any]], what: str) -> Step:
    """A step or an expectation: the name of a verb, or one verb with its value."""
    if isinstance(written, Mapping) and len(written) != 1:
        seen = f"; seen: {', '.join(written)}. Begin each with a dash." if written else "; seen: none"
        raise source.problem(path, f"one {what} has one key{seen}")
    name, value = (written, None) if isinstance(written, str) else next(iter(written.items()))
    if name not in known:
        found = similar_names(name, known)
        raise source.problem(path, f"unknown {what} {name!r}. Known and near: {', '.join(found or known)}.")
    text = f"{name}: {json.dumps(value, default=str)}"
    return Step(attempted(source, path, lambda: known[name](value), f"{name}: "), source.at(path), text)


def attempted(source: Source, path: Path_, make: Callable[[], Any], lead: str = "") -> Any:
    """What `make` gives; what is wrong with its values is told with the place where they stand."""
    try:
        return make()
    except (ValueError, TypeError, KeyError) as error:
        raise source.problem(path, lead + plain(error)) from None
