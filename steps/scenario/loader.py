"""Scenario files: YAML in, cases out; every mistake is reported with file:line:column and what to write instead."""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.case_model import CaseModel, LiveModel, Members
from rollout_conformance.steps.engine.cases import Case, Live, Step
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.suggestions import similar_names
from rollout_conformance.steps.engine.verb_parsing import plain
from rollout_conformance.steps.engine.verbs import Verb
from rollout_conformance.steps.engine.yaml_source import Path_, Source
from rollout_conformance.steps.paths import ROOT, shown
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.scenario.case_template import CaseTemplate, requirement
from rollout_conformance.steps.scenario.examples import rows

OF_A_CARD = frozenset({"dialects", "capabilities", "variants", "patience_s"})
Verbs = Mapping[str, Verb]


class ScenarioFile(Members):
    """A file of cases. Each is read as its profile has it."""

    tags: list[str] = Field(default_factory=list, description="of every case of this file")
    cases: list[Any] = Field(min_length=1)


def load(file: Path, profile: Profile, root: Path = ROOT, folder: Path | None = None) -> list[Case]:
    """The cases of a file, one for each row and dialect. Raises `SuiteError` that lists every mistake with its place."""
    return compiled(yaml_source.read(file, shown(file, root, folder)), profile)


def compiled(source: Source, profile: Profile) -> list[Case]:
    """The cases of a document that has been read. Raises `SuiteError` that lists every mistake."""
    if isinstance(source.value, list):
        raise source.problem((), "a list of cases has a name: write `cases:` on a line of its own above the first dash")
    if isinstance(source.value, Mapping) and "cases" not in source.value and OF_A_CARD & set(source.value):
        raise source.problem(
            (), "this looks like a target card, which is given with --card; a file of cases has the key `cases`"
        )
    document = yaml_source.validated(ScenarioFile, source)
    names: dict[str, int] = {}
    problems = ErrorCollector()
    cases: list[Case] = []
    for n, written in enumerate(document.cases):
        path: Path_ = ("cases", n)
        name = written.get("name") if isinstance(written, Mapping) else None
        if isinstance(name, str) and name in names:
            told = f"the name {name!r} is taken by case {names[name] + 1} of this file"
            problems.add(str(source.problem((*path, "name"), told)))
        names[str(name)] = n
        made = functools.partial(_of_rows, source, path, written, profile, document.tags)
        cases += problems.attempt(made) or ()
    problems.conclude()
    return cases


def _of_rows(source: Source, path: Path_, written: object, profile: Profile, tags: list[str]) -> list[Case]:
    found: list[Case] = []
    for row, case in rows(source, path, written):
        try:
            model = yaml_source.validated(profile.case_model, source, case, path)
        except SuiteError as error:
            raise _with_verbs(error, source, path, case, profile) from None
        found += _Compiled(source, path, model, profile, row, tags).cases()
    return found


def _with_verbs(error: SuiteError, source: Source, path: Path_, case: object, profile: Profile) -> SuiteError:
    """The mistakes in the members of a case, and those in its steps and expectations: its author is told of all at once."""
    problems = ErrorCollector()
    problems.add(str(error))
    vocabulary = profile.vocabulary
    for key, known, what in (("steps", vocabulary.actions, "step"), ("expect", vocabulary.expectations, "expectation")):
        written = case.get(key) if isinstance(case, Mapping) else None
        for n, one in enumerate(written if isinstance(written, list) else ()):
            if isinstance(one, str | Mapping):
                problems.attempt(functools.partial(_verb, source, one, known, (*path, key, n), what))
    return SuiteError("\n".join(problems.messages))


class _Compiled:
    """One case, or one row of it, on its way from YAML to values."""

    def __init__(
        self, source: Source, path: Path_, model: CaseModel, profile: Profile, row: str, tags: list[str]
    ) -> None:
        self.source, self.path, self.model, self.profile = source, path, model, profile
        self.row, self.tags = row, tags
        self.problems = ErrorCollector()

    def cases(self) -> list[Case]:
        known = [
            self.problems.attempt(functools.partial(self._requirement, n, name))
            for n, name in enumerate(self.model.requirements)
        ]
        steps = tuple(self._steps())
        live = self.problems.attempt(lambda: self._live(steps))
        about = [entry for entry in known if entry is not None]
        template = self._template(about if len(about) == len(known) else [], steps, live)
        if self.problems.messages:
            for told in template.wrong_names():
                self.problems.add(told)
        self.problems.conclude()
        return template.cases()

    def _template(self, about: list[Requirement], steps: tuple[Step, ...], live: Live | None) -> CaseTemplate:
        return CaseTemplate(
            profile=self.profile,
            name=self.model.name + self.row,
            about=about,
            steps=steps,
            at=self.source.at((*self.path, "name")),
            dialects=self.model.dialects,
            tags=(*self.tags, *self.model.tags),
            needs=self.profile.needs_of(steps) | frozenset(self.model.needs),
            variant=self.model.variant,
            alone=self.model.alone,
            live=live,
            places={part: self.source.at((*self.path, part)) for part in ("dialects", "needs", "tags")},
        )

    def _requirement(self, n: int, name: str) -> Requirement:
        try:
            return requirement(self.profile, name)
        except ValueError as error:
            raise self.source.problem((*self.path, "requirements", n), str(error)) from None

    def _live(self, steps: tuple[Step, ...]) -> Live | None:
        """What the case demands of a live model. What only a script can do is refused here, not there."""
        said = self.model.live
        if said is False:
            return None
        for step in steps:
            if reason := self.profile.only_scripted(step.what):
                raise step.at.problem(f"{reason}; leave `live` out, or this line")
        if not isinstance(said, LiveModel):
            return Live()
        path = (*self.path, "live", "expect")
        verbs = self.profile.vocabulary.expectations
        expect = [
            _verb(self.source, written, verbs, (*path, n), "expectation") for n, written in enumerate(said.expect or ())
        ]
        return Live(None if said.expect is None else tuple(expect), said.runs, said.least or said.runs)

    def _steps(self) -> Iterator[Step]:
        """All steps that can be made; what is wrong with the others is among the problems."""
        for make in self._makers():
            step = self.problems.attempt(make)
            if step is not None:
                yield step

    def _makers(self) -> Iterator[Callable[[], Step | None]]:
        vocabulary = self.profile.vocabulary
        for path, text, make in self.model.setup():
            yield functools.partial(self._made, (*self.path, *path), text, make)
        yield from self._verbs("steps", vocabulary.actions, "step")
        if not self.model.steps:
            for text, action in self.model.default_steps():
                yield functools.partial(self._made, self.path, text, functools.partial(_same, action))
        yield from self._verbs("expect", vocabulary.expectations, "expectation")

    def _verbs(self, key: str, known: Verbs, what: str) -> Iterator[Callable[[], Step]]:
        for n, one in enumerate(getattr(self.model, key)):
            yield functools.partial(_verb, self.source, one, known, (*self.path, key, n), what)

    def _made(self, path: Path_, text: str, make: Callable[[], Any]) -> Step | None:
        what = attempted(self.source, path, make)
        return Step(what, self.source.at(path), text) if what is not None else None


def _verb(source: Source, written: Any, known: Verbs, path: Path_, what: str) -> Step:
    """A step or an expectation: the name of a verb, or one verb with its value."""
    if isinstance(written, Mapping) and len(written) != 1:
        seen = f"; seen: {', '.join(written)}. Begin each with a dash." if written else "; seen: none"
        raise source.problem(path, f"one {what} has one key{seen}")
    name, value = (written, None) if isinstance(written, str) else next(iter(written.items()))
    if name not in known:
        found = [*(one for one in known if name in one.split("_")), *similar_names(name, known)]
        raise source.problem(
            path, f"unknown {what} {name!r}. Known and near: {', '.join(dict.fromkeys(found or known))}."
        )
    text = f"{name}: {json.dumps(value, default=str)}"
    made = attempted(source, path, lambda: known[name].read(value), f"{name}: ")
    return Step(made, source.at(path), text)


def _same(action: Any) -> Any:
    return action


def attempted(source: Source, path: Path_, make: Callable[[], Any], lead: str = "") -> Any:
    """What `make` gives; what is wrong with its values is reported with the place where they stand."""
    try:
        return make()
    except (ValueError, TypeError, KeyError) as error:
        raise source.problem(path, lead + plain(error)) from None
