"""Scenario files: YAML in, cases out; every mistake is told with file:line:column and what to write instead."""

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rollout_conformance.steps import verb_scenario, verbs
from rollout_conformance.steps.case_template import CaseTemplate
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.cases import Case, Live, Step
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.yaml_source import Path_, Source
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.peers.script import Reply, Script
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.rollout.actions import End, Start, TrainerSays
from rollout_conformance.steps.profiles.rollout.start_request import StartOverrides
from rollout_conformance.steps.scenario_model import CaseModel, Line, Part, ScenarioFile
from rollout_conformance.steps.verb_scenario import attempted, known_requirement

Verbs = Mapping[str, Callable[[Any], Any]]


def load(file: Path, profile: Profile, root: Path = ROOT) -> list[Case]:
    """The cases of a file, one for each dialect. Raises `SuiteError` that lists every mistake with its place."""
    shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
    return compiled(yaml_source.read(file, shown), profile)


def compiled(source: Source, profile: Profile) -> list[Case]:
    """The cases of a document that has been read. Raises `SuiteError` that lists every mistake."""
    if profile.name in verb_scenario.VOCABULARIES:
        return verb_scenario.compiled(source, profile)
    model = yaml_source.validated(ScenarioFile, source)
    names: dict[str, int] = {}
    problems = ErrorCollector()
    cases: list[Case] = []
    for n, case in enumerate(model.cases):
        if case.name in names:
            told = f"the name {case.name!r} is taken by case {names[case.name] + 1} of this file"
            problems.add(str(source.problem(("cases", n, "name"), told)))
        names[case.name] = n
        cases += problems.attempt(_Compiled(source, ("cases", n), case, profile).cases) or ()
    problems.conclude()
    return cases


class _Compiled:
    """One case on its way from YAML to values."""

    def __init__(self, source: Source, path: Path_, model: CaseModel, profile: Profile) -> None:
        self.source, self.path, self.model, self.profile = source, path, model, profile
        self.problems = ErrorCollector()

    def cases(self) -> list[Case]:
        paths = [(*self.path, "requirements", n) for n in range(len(self.model.requirements))]
        known = [
            self.problems.attempt(lambda p=p, name=name: known_requirement(self.source, p, name, self.profile))  # type: ignore[misc]
            for p, name in zip(paths, self.model.requirements, strict=True)
        ]
        steps = tuple(self._steps())
        live = self.problems.attempt(lambda: self._live(steps))
        self.problems.conclude()
        return CaseTemplate(
            self.profile,
            self.model.name,
            [entry for entry in known if entry is not None],
            steps,
            self._at((*self.path, "name")),
            self.model.dialects,
            self.model.tags,
            needs_of(steps) | frozenset(self.model.needs),
            self.model.variant,
            self.model.alone,
            live,
            {part: self._at((*self.path, part)) for part in ("dialects", "needs", "tags")},
        ).cases()

    def _live(self, steps: tuple[Step, ...]) -> Live | None:
        """What the case demands of a live model. What only a script can do to a reply is refused here, not there."""
        said = self.model.live
        if said is False:
            return None
        bent = next((step for step in steps if isinstance(step.what, TrainerSays) and _bends(step.what.script)), None)
        if bent is not None:
            told = "a live model cannot be made to answer so; leave `live` out, or this line"
            raise bent.at.problem(told)
        if said is True:
            return Live()
        path = (*self.path, "live", "expect")
        expect = said.expect and tuple(
            self._verb(written, verbs.EXPECTATIONS, (*path, n), "expectation") for n, written in enumerate(said.expect)
        )
        return Live(None if said.expect is None else tuple(expect or ()), said.runs, said.least or said.runs)

    def _steps(self) -> Iterator[Step]:
        """All steps that can be made; what is wrong with the others is among the problems."""
        for make in self._makers():
            step = self.problems.attempt(make)
            if step is not None:
                yield step

    def _makers(self) -> Iterator[Callable[[], Step | None]]:
        parts: Mapping[str, Part] = self.model.rollouts or {"": self.model}
        for label, part in parts.items():
            yield from self._part(label, part, (*self.path, "rollouts", label) if label else self.path)
        if self.model.steps:
            yield from self._verbs(self.model.steps, verbs.ACTIONS, "steps", "step")
        else:
            for label in parts:
                yield functools.partial(self._step, Start(label), self.path, "start")
            yield functools.partial(self._step, End(), self.path, "end")
        yield from self._verbs(self.model.expect, verbs.EXPECTATIONS, "expect", "expectation")

    def _verbs(self, written: Sequence[Any], known: Verbs, key: str, what: str) -> Iterator[Callable[[], Step]]:
        for n, one in enumerate(written):
            yield functools.partial(self._verb, one, known, (*self.path, key, n), what)

    def _part(self, label: str, part: Part, path: Path_) -> Iterator[Callable[[], Step | None]]:
        yield functools.partial(self._start_with, label, part, (*path, "start"))
        for n, model in enumerate(part.trainer):
            yield functools.partial(self._line, label, model, (*path, "trainer", n))
        if part.acks:
            acks = Script((), tuple(verbs.ack(one) for one in part.acks))
            yield functools.partial(self._step, TrainerSays(acks, label), (*path, "acks"), "acks")

    def _start_with(self, label: str, part: Part, path: Path_) -> Step | None:
        wanted = attempted(self.source, path, lambda: verbs.start_with(part.start, label))
        return self._step(wanted, path, "start") if wanted.wanted != StartOverrides() else None

    def _line(self, label: str, model: Line, path: Path_) -> Step:
        lines = attempted(self.source, path, lambda: verbs.line(model))
        return self._step(TrainerSays(Script(lines), label), path, "trainer")

    def _verb(self, written: Any, known: Verbs, path: Path_, what: str) -> Step:
        return verb_scenario.step(self.source, path, written, known, what)

    def _step(self, what: Any, path: Path_, text: str) -> Step:
        return Step(what, self._at(path), text)

    def _at(self, path: Path_) -> Location:
        return self.source.at(path)


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
