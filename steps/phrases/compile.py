"""Gherkin to cases: pytest-bdd parses, every step is looked up once, and what does not fit is told with file:line.

pytest-bdd itself would drop the first of two scenarios of one name, pass an async step without awaiting it, choose one of
two matching steps, and run an outline without rows on its placeholders. All of these are errors here.
"""

import difflib
import functools
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_bdd.exceptions import GherkinParseError, StepError
from pytest_bdd.feature import get_feature
from pytest_bdd.parser import Feature, Scenario, ScenarioTemplate
from pytest_bdd.parser import Step as GherkinStep
from pytest_bdd.steps import StepFunctionContext, step_function_context_registry

from contracts.requirements import Requirement
from steps.engine import yaml_source
from steps.engine.cases import Action, Case, Expectation, Live, Step
from steps.engine.findings import Location, SuiteError
from steps.phrases import chat, operating, rollout, router, trainer  # importing them registers their phrases
from steps.scenario import needs_of

PREFIX = re.compile(r'for rollout "(?P<label>[\w-]+)", (?P<rest>.+)')
DIALECTS = ("sync", "callback", "routed")
OURS: Mapping[str, tuple[ModuleType, ...]] = {
    "rollout": (rollout,),
    "trainer": (trainer,),
    "chat": (chat,),
    "router": (chat, router, operating),
}


@dataclass(frozen=True, slots=True)
class CallStep:
    """A phrase of Python that wants the session: called, and awaited if need be, inside the case's own task."""

    function: Callable[..., Any]
    arguments: tuple[tuple[str, Any], ...]

    async def perform(self, session: Any) -> None:
        result = self.function(session=session, **dict(self.arguments))
        if inspect.isawaitable(result):
            await result


@dataclass(frozen=True, slots=True)
class CompiledScenario:
    """A scenario, or one row of an outline, with the cases that it became."""

    name: str
    line: int
    feature: Feature
    scenario: Scenario
    cases: tuple[Case, ...]


def compile_feature(path: Path, catalogue: Mapping[str, Requirement], root: Path) -> list[CompiledScenario]:
    """Raises one `SuiteError` that lists everything that is wrong with the file."""
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    feature = _parsed(path, shown)
    problems = list(_titles(path, shown))
    compiled: list[CompiledScenario] = []
    for template in feature.scenarios.values():
        try:
            compiled += _Compiler(path, shown, feature, template, catalogue).all()
        except SuiteError as error:
            problems.append(str(error))
    if not feature.scenarios and not problems:
        problems.append(f"{shown}:1: the feature has no scenario")
    if problems:
        raise SuiteError("\n".join(problems))
    return compiled


def _parsed(path: Path, shown: str) -> Feature:
    yaml_source.text_of(path, shown)  # what is no text, or far too much of it, is refused here
    try:
        return get_feature(str(path.parent), path.name)
    except GherkinParseError as error:
        raise SuiteError(f"{shown}:{error.line}: not Gherkin: {error.args[0]} {error.line_content}".rstrip()) from None
    except (StepError, KeyError) as error:
        raise SuiteError(f"{shown}:1: the file holds no feature ({error})") from None


def _titles(path: Path, shown: str) -> Iterator[str]:
    """What pytest-bdd would keep silent about, seen in the text itself."""
    lines = path.read_text(encoding="utf-8").splitlines()
    titles: dict[str, int] = {}
    outline, rows = False, Counter[int]()
    current = 0
    for number, line in enumerate(lines, 1):
        head = re.match(r"\s*(Scenario Outline|Scenario Template|Scenario|Example):\s*(.*)", line)
        if head:
            current, outline = number, head[1].endswith(("Outline", "Template"))
            rows[current] = -1 if not outline else 0
            if head[2] in titles:
                yield f"{shown}:{number}: the title {head[2]!r} is taken by line {titles[head[2]]}; that scenario would be lost"
            titles[head[2]] = number
            if "::" in head[2] or "[" in head[2]:
                yield f"{shown}:{number}: a title may not contain :: or [, pytest could not select it"
        elif re.match(r"\s*(Examples|Scenarios):", line) and current and not outline:
            yield f"{shown}:{number}: Examples under a plain Scenario would be read as a comment. Write Scenario Outline."
        elif re.match(r"\s*\|", line) and outline:
            rows[current] += 1
    for number, count in rows.items():
        if 0 <= count < 2:
            yield f"{shown}:{number}: an outline without rows would run once, on its placeholders"


class _Compiler:
    """One scenario of a file."""

    def __init__(
        self, path: Path, shown: str, feature: Feature, template: ScenarioTemplate, catalogue: Mapping[str, Requirement]
    ) -> None:
        self.path, self.shown, self.feature, self.template, self.catalogue = path, shown, feature, template, catalogue
        self.profile = next(iter(catalogue)).partition("-")[0].lower()

    def all(self) -> Iterator[CompiledScenario]:
        rows = [(f"[{'-'.join(row.values())}]", row) for table in self.template.examples for row in table.as_contexts()]
        for suffix, row in rows or [("", {})]:
            scenario = self.template.render(row)
            name = f"{scenario.name}{suffix}"
            cases = tuple(self._cases(name, scenario))
            yield CompiledScenario(name, self.template.line_number, self.feature, scenario, cases)

    def _cases(self, name: str, scenario: Scenario) -> Iterator[Case]:
        tags = self._tags()
        known = [self._requirement(tag) for tag in tags if re.fullmatch(r"[A-Z]+-\d+", tag)]
        if not known:
            raise SuiteError(
                f"{self.shown}:{self.template.line_number}: no requirement tag. Say what the scenario is about, as @ROLLOUT-048."
            )
        steps = tuple(self._all_steps(scenario))
        rest = [tag for tag in tags if not re.fullmatch(r"[A-Z]+-\d+", tag)]
        dialects = [d for d in DIALECTS if d in rest] or list(dict.fromkeys(d for r in known for d in r.dialects))
        for dialect in dialects:
            about = tuple(r.id for r in known if dialect in r.dialects)
            if about:
                yield self._case(name, dialect, known, about, steps, rest)

    def _case(
        self,
        name: str,
        dialect: str,
        known: list[Requirement],
        about: tuple[str, ...],
        steps: tuple[Step, ...],
        tags: list[str],
    ) -> Case:
        def after(word: str) -> list[str]:
            return [tag.partition(":")[2] for tag in tags if tag.startswith(f"{word}:")]

        return Case(
            name,
            self.path.parent.name,
            dialect,
            about,
            steps,
            Location(self.shown, self.template.line_number),
            frozenset(tag for tag in tags if ":" not in tag and tag not in (*DIALECTS, "alone", "live")),
            needs_of(steps) | frozenset(after("needs")) | frozenset(need for r in known for need in r.needs),
            next(iter(after("variant")), ""),
            "alone" in tags,
            _live(tags),
        )

    def _tags(self) -> list[str]:
        """Tags in the order of the file, which pytest-bdd does not keep: the first requirement is the one accused."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        above: list[str] = []
        for line in reversed(lines[: self.template.line_number - 1]):
            if not line.strip().startswith("@"):
                break
            above = [tag.lstrip("@") for tag in line.split()] + above
        return [*above, *sorted(tag for tag in self.feature.tags if tag not in above)]

    def _requirement(self, tag: str) -> Requirement:
        if tag not in self.catalogue:
            near = ", ".join(difflib.get_close_matches(tag, self.catalogue, n=3)) or "nothing"
            raise SuiteError(
                f"{self.shown}:{self.template.line_number}: no requirement {tag} in the catalogue. Near it: {near}."
            )
        return self.catalogue[tag]

    def _all_steps(self, scenario: Scenario) -> list[Step]:
        steps: list[Step] = []
        for gherkin in scenario.steps:
            steps += self._steps(gherkin, tuple(step.what for step in steps if isinstance(step.what, Action)))
        return steps

    def _steps(self, gherkin: GherkinStep, before: tuple[Action, ...]) -> Iterator[Step]:
        at = Location(self.shown, gherkin.line_number)
        prefix = PREFIX.fullmatch(gherkin.name)
        text, label = (prefix["rest"], prefix["label"]) if prefix else (gherkin.name, "")
        context, arguments, parameters = self._looked_up(gherkin.type, text, at)
        table = gherkin.datatable and gherkin.datatable.raw()
        for name, below, what in (("docstring", gherkin.docstring, "text block"), ("datatable", table, "table")):
            if (below is not None) != (name in parameters):
                told = f"takes no {what}" if below is not None else f"needs a {what} below it"
                raise SuiteError(f"{at}: {gherkin.keyword} {gherkin.name}: this sentence {told}")
            if name in parameters:
                arguments = {**arguments, name: below}
        if "before" in parameters:
            arguments = {**arguments, "before": before}
        try:
            value = (
                CallStep(context.step_func, tuple(arguments.items()))
                if "session" in parameters
                else context.step_func(**arguments)
            )
        except (ValueError, TypeError, KeyError, RecursionError, SuiteError) as error:
            raise SuiteError(f"{at}: {gherkin.keyword} {gherkin.name}: {error}") from None
        for what in value if isinstance(value, tuple) else (value,):
            if not isinstance(what, Action | Expectation):
                raise SuiteError(f"{at}: the phrase gave {what!r}, which is neither an action nor an expectation")
            yield Step(_named(what, label), at, f"{gherkin.keyword} {gherkin.name}")

    def _looked_up(self, kind: str, text: str, at: Location) -> Any:
        found = look_up(kind, text, self.profile)
        if len(found) == 1:
            return found[0]
        if found:
            names = " and ".join(context.step_func.__name__ for context, _, _ in found)
            raise SuiteError(f"{at}: {kind} {text}: two phrases fit, {names}; make one of them narrower")
        near = difflib.get_close_matches(text, phrases(kind, self.profile), n=3, cutoff=0.3)
        raise SuiteError(
            f"{at}: no phrase for: {kind} {text}\n" + "\n".join(f"    near: {kind} {phrase}" for phrase in near)
        )


def _live(tags: list[str]) -> Live | None:
    """`@live`: every Then holds whatever a real model says; `@live:invariants`: the Thens are about the script alone."""
    if "live:invariants" in tags:
        return Live(())
    return Live() if "live" in tags else None


def _named(what: Any, label: str) -> Any:
    if label and any(field.name == "rollout" for field in fields(what)):
        return replace(what, rollout=label)
    return what


@functools.cache
def look_up(kind: str, text: str, profile: str) -> list[tuple[StepFunctionContext, dict[str, Any], tuple[str, ...]]]:
    """Every phrase of a profile that fits, with its arguments and parameters."""
    found = []
    for context in _known(kind, profile):
        if context.parser.is_matching(text):
            converters = context.converters
            arguments = {
                k: _converted(converters, k, v) for k, v in (context.parser.parse_arguments(text) or {}).items()
            }
            found.append((context, arguments, tuple(inspect.signature(context.step_func).parameters)))
    return found


def _converted(converters: Mapping[str, Callable[[str], Any]], name: str, value: str) -> Any:
    return converters[name](value) if name in converters else value


def _known(kind: str | None, profile: str) -> Iterator[StepFunctionContext]:
    """The phrases of a profile, and those that a user wrote. One sentence may mean something else in another profile."""
    foreign = {
        module.__name__ for modules in OURS.values() for module in modules if module not in OURS.get(profile, ())
    }
    for context in step_function_context_registry.values():
        if (kind is None or context.type in (None, kind)) and context.step_func.__module__ not in foreign:
            yield context


def phrases(kind: str | None, profile: str) -> list[str]:
    """The phrases of a kind, with their parameters in angle brackets."""
    return [
        re.sub(r"\(\?P<(\w+)>(?:[^()\\]|\\.|\([^()]*\))*\)", r"<\1>", c.parser.name).replace("(?:", "(")
        for c in _known(kind, profile)
    ]
