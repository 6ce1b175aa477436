"""Scenario files: YAML in, cases out; every mistake is told with file:line:column and what to write instead."""

import difflib
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.requirements import Requirement
from steps import verb_scenario, verbs
from steps.engine import yaml_source
from steps.engine.cases import Case, Live, Step
from steps.engine.findings import Location, SuiteError
from steps.engine.yaml_source import Path_, Source
from steps.peers.script import Reply, Script
from steps.profiles.rollout.actions import End, Start, TrainerSays
from steps.profiles.rollout.given import Wanted
from steps.scenario_model import CaseModel, Part, ScenarioFile

Catalogue = Mapping[str, Requirement]
ROOT = Path(__file__).parents[1]


def load(file: Path, catalogue: Catalogue, root: Path = ROOT) -> list[Case]:
    """The cases of a file, one for each dialect. Raises `SuiteError` for the first mistake."""
    shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
    source = yaml_source.read(file, shown)
    profile = next(iter(catalogue)).partition("-")[0].lower()
    if profile in verb_scenario.VOCABULARIES:
        return verb_scenario.compiled(source, catalogue, profile)
    return compiled(source, catalogue, file.parent.name)


def compiled(source: Source, catalogue: Catalogue, profile: str) -> list[Case]:
    """The cases of a document that has been read. Raises `SuiteError` for the first mistake."""
    model = yaml_source.validated(ScenarioFile, source)
    names: dict[str, int] = {}
    cases: list[Case] = []
    for n, case in enumerate(model.cases):
        if case.name in names:
            raise source.problem(
                ("cases", n, "name"), f"the name {case.name!r} is taken by case {names[case.name] + 1} of this file"
            )
        names[case.name] = n
        cases += _Compiled(source, ("cases", n), case, catalogue, profile).cases()
    return cases


class _Compiled:
    """One case on its way from YAML to values."""

    def __init__(self, source: Source, path: Path_, model: CaseModel, catalogue: Catalogue, profile: str) -> None:
        self.source, self.path, self.model, self.catalogue, self.profile = source, path, model, catalogue, profile

    def cases(self) -> Iterator[Case]:
        known = [self._known(name, n) for n, name in enumerate(self.model.requirements)]
        steps = tuple(self._steps())
        live = self._live(steps)
        dialects = self.model.dialects or list(dict.fromkeys(d for r in known for d in r.dialects))
        for dialect in dialects:
            about = tuple(r.id for r in known if dialect in r.dialects)
            if about:
                yield self._case(dialect, about, steps, frozenset(need for r in known for need in r.needs), live)

    def _case(
        self, dialect: str, about: tuple[str, ...], steps: tuple[Step, ...], needs: frozenset[str], live: Live | None
    ) -> Case:
        return Case(
            self.model.name,
            self.profile,
            dialect,
            about,
            steps,
            self.source.at((*self.path, "name")),
            frozenset(self.model.tags),
            needs_of(steps) | frozenset(self.model.needs) | needs,
            self.model.variant,
            self.model.alone,
            live,
        )

    def _live(self, steps: tuple[Step, ...]) -> Live | None:
        """What the case demands of a live model. What only a script can do to a reply is refused here, not there."""
        said = self.model.live
        if said is False:
            return None
        bent = next((step for step in steps if isinstance(step.what, TrainerSays) and _bends(step.what.script)), None)
        if bent is not None:
            told = "a live model cannot be made to answer so; leave `live` out, or this line"
            raise SuiteError(f"{bent.at}: {told}")
        if said is True:
            return Live()
        path = (*self.path, "live", "expect")
        expect = said.expect and tuple(
            self._verb(written, verbs.EXPECTATIONS, (*path, n), "expectation") for n, written in enumerate(said.expect)
        )
        return Live(None if said.expect is None else tuple(expect or ()), said.runs, said.least or said.runs)

    def _known(self, name: str, n: int) -> Requirement:
        if name not in self.catalogue:
            near = difflib.get_close_matches(name, self.catalogue, n=3)
            raise self.source.problem(
                (*self.path, "requirements", n),
                f"no requirement {name!r} in the catalogue. Near it: {', '.join(near) or 'nothing'}.",
            )
        return self.catalogue[name]

    def _steps(self) -> Iterator[Step]:
        parts: Mapping[str, Part] = self.model.rollouts or {"": self.model}
        for label, part in parts.items():
            yield from self._part(label, part, (*self.path, "rollouts", label) if label else self.path)
        if self.model.steps:
            for n, written in enumerate(self.model.steps):
                yield self._verb(written, verbs.ACTIONS, (*self.path, "steps", n), "step")
        else:
            for label in parts:
                yield self._step(Start(label), self.path, "start")
            yield self._step(End(), self.path, "end")
        for n, written in enumerate(self.model.expect):
            yield self._verb(written, verbs.EXPECTATIONS, (*self.path, "expect", n), "expectation")

    def _part(self, label: str, part: Part, path: Path_) -> Iterator[Step]:
        wanted = self._try(lambda: verbs.start_with(part.start, label), (*path, "start"))
        if wanted.wanted != Wanted():
            yield self._step(wanted, (*path, "start"), "start")
        acks = tuple(self._try(lambda a=a: verbs.ack(a), (*path, "acks", n)) for n, a in enumerate(part.acks))  # type: ignore[misc]
        for n, model in enumerate(part.trainer):
            lines = self._try(lambda m=model: verbs.line(m), (*path, "trainer", n))  # type: ignore[misc]
            yield self._step(TrainerSays(Script(lines), label), (*path, "trainer", n), "trainer")
        if acks:
            yield self._step(TrainerSays(Script((), acks), label), (*path, "acks"), "acks")

    def _verb(self, written: Any, known: Mapping[str, Callable[[Any], Any]], path: Path_, what: str) -> Step:
        if isinstance(written, str):
            name, value = written, None
        elif len(written) == 1:
            ((name, value),) = written.items()
        else:
            raise self.source.problem(
                path, f"one {what} has one key; seen: {', '.join(written)}. Begin each with a dash."
            )
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            raise self.source.problem(
                path, f"unknown {what} {name!r}. Known and near: {', '.join(near) or ', '.join(known)}."
            )
        return self._step(
            self._try(lambda: known[name](value), path), path, f"{name}: {json.dumps(value, default=str)}"
        )

    def _step(self, what: Any, path: Path_, text: str) -> Step:
        return Step(what, self._at(path), text)

    def _at(self, path: Path_) -> Location:
        return self.source.at(path)

    def _try(self, make: Callable[[], Any], path: Path_) -> Any:
        try:
            return make()
        except ValidationError as error:
            first = error.errors()[0]
            raise self.source.problem((*path, *first["loc"]), f"{first['msg']}; seen: {first['input']!r}") from None
        except (ValueError, TypeError, KeyError) as error:
            raise self.source.problem(path, _plain(error)) from None


def _plain(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the key {error} is missing"
    return str(error).replace("__init__() ", "").replace("got an unexpected keyword argument", "unknown key")


def _bends(script: Script) -> bool:
    """Whether a reply is made what no model would be asked for: changed, cut short, or spelled in other ids."""
    plain = Reply()
    replies = [line for line in script.lines if isinstance(line, Reply)]
    names = ("message", "put", "drop", "odd", "finish", "end_token", "digits", "content_type")
    return any(getattr(line, name) != getattr(plain, name) for line in replies for name in names)


def needs_of(steps: tuple[Step, ...]) -> frozenset[str]:
    """`tools`, when the trainer calls one."""
    lines = [line for step in steps if isinstance(step.what, TrainerSays) for line in step.what.script.lines]
    return frozenset({"tools"} if any(isinstance(line, Reply) and line.calls for line in lines) else ())


def schema() -> dict[str, Any]:
    """The JSON schema of a scenario file, with the verbs that a step and an expectation may be."""
    made = ScenarioFile.model_json_schema()
    case = made["$defs"]["CaseModel"]["properties"]
    for key, known in (("steps", verbs.ACTIONS), ("expect", verbs.EXPECTATIONS)):
        case[key]["items"] = yaml_source.verbs_schema(known)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


SCHEMAS: Mapping[Path, Callable[[], dict[str, Any]]] = {
    ROOT / "scenarios" / "scenario.schema.json": schema,
    **{
        ROOT / "scenarios" / f"{profile}.schema.json": functools.partial(verb_scenario.schema, profile)
        for profile in verb_scenario.VOCABULARIES
    },
}

if __name__ == "__main__":
    for file, made in SCHEMAS.items():
        file.write_text(json.dumps(made(), indent=1) + "\n", encoding="utf-8")
