"""Scenario files of the profiles whose cases are plain lists of verbs: one frame, and a vocabulary for each."""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.requirements import Requirement
from steps.engine import yaml_source
from steps.engine.cases import Case, Live, Step
from steps.engine.yaml_source import Path_, Source
from steps.profiles.chat import vocabulary as chat
from steps.profiles.router import vocabulary as router
from steps.profiles.trainer import vocabulary as trainer

VOCABULARIES: Mapping[str, Any] = {"trainer": trainer, "chat": chat, "router": router}


class VerbCase(BaseModel):
    """One case. `steps` are what the suite does, in order; `expect` what must come of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
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


def compiled(source: Source, catalogue: Mapping[str, Requirement], profile: str) -> list[Case]:
    """The cases of a document, one for each dialect. Raises `SuiteError` with file:line for the first mistake."""
    model = yaml_source.validated(VerbFile, source)
    names: set[str] = set()
    cases: list[Case] = []
    for n, case in enumerate(model.cases):
        if case.name in names:
            raise source.problem(("cases", n, "name"), f"the name {case.name!r} is taken by another case of this file")
        names.add(case.name)
        cases += _cases(source, ("cases", n), case, catalogue, profile, frozenset((*model.tags, *case.tags)))
    return cases


def _cases(
    source: Source,
    path: Path_,
    case: VerbCase,
    catalogue: Mapping[str, Requirement],
    profile: str,
    tags: frozenset[str],
) -> Iterator[Case]:
    vocabulary = VOCABULARIES[profile]
    known = [_known(source, (*path, "requirements", n), name, catalogue) for n, name in enumerate(case.requirements)]
    actions = [_step(source, (*path, "steps", n), w, vocabulary.ACTIONS) for n, w in enumerate(case.steps)]
    demands = [_step(source, (*path, "expect", n), w, vocabulary.EXPECTATIONS) for n, w in enumerate(case.expect)]
    for dialect in case.dialects or list(dict.fromkeys(d for r in known for d in r.dialects)):
        about = tuple(r.id for r in known if dialect in r.dialects)
        needs = frozenset({*case.needs, *(need for r in known for need in r.needs)})
        at, live = source.at((*path, "name")), Live() if case.live else None
        if about:
            yield Case(
                case.name,
                profile,
                dialect,
                about,
                (*actions, *demands),
                at,
                tags,
                needs,
                case.variant,
                case.alone,
                live=live,
            )


def _known(source: Source, path: Path_, name: str, catalogue: Mapping[str, Requirement]) -> Requirement:
    if name not in catalogue:
        near = difflib.get_close_matches(name, catalogue, n=3)
        raise source.problem(
            path, f"no requirement {name!r} in the catalogue. Near it: {', '.join(near) or 'nothing'}."
        )
    return catalogue[name]


def _step(source: Source, path: Path_, written: Any, known: Mapping[str, Callable[[Any], Any]]) -> Step:
    if isinstance(written, Mapping) and len(written) != 1:
        raise source.problem(path, f"one step has one key; seen: {', '.join(written)}. Begin each with a dash.")
    name, value = (written, None) if isinstance(written, str) else next(iter(written.items()))
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        raise source.problem(path, f"unknown verb {name!r}. Known and near: {', '.join(near) or ', '.join(known)}.")
    try:
        return Step(known[name](value), source.at(path), f"{name}: {json.dumps(value, default=str)}")
    except (ValueError, TypeError, KeyError) as error:
        told = str(error).replace("__init__() ", "").replace("got an unexpected keyword argument", "unknown key")
        raise source.problem(path, told) from None
