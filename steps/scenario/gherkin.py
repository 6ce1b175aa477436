"""Gherkin to cases: pytest-bdd parses, every step is looked up once, and what does not fit is reported with file:line.

pytest-bdd itself would drop the first of two scenarios of one name, pass an async step without awaiting it, choose one of
two matching steps, and run an outline without rows on its placeholders. All of these are errors here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from gherkin.dialect import Dialect
from pytest_bdd.exceptions import GherkinParseError, StepError
from pytest_bdd.gherkin_parser import GherkinDocument
from pytest_bdd.gherkin_parser import Scenario as GherkinScenario
from pytest_bdd.parser import Feature, FeatureParser, Scenario, ScenarioTemplate
from pytest_bdd.parser import Step as GherkinStep

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps import paths
from rollout_conformance.steps.engine import text_file as texts
from rollout_conformance.steps.engine.below_sentence import RowError, example_below, written
from rollout_conformance.steps.engine.cases import Action, Case, Live, Step, is_action, is_expectation
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.findings import Location, SuiteError
from rollout_conformance.steps.engine.suggestions import similar_names, unknown_name
from rollout_conformance.steps.engine.verb_parsing import plain
from rollout_conformance.steps.engine.yaml_source import BLOCK
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.scenario import unknown_sentence
from rollout_conformance.steps.scenario.call_step import CallStep
from rollout_conformance.steps.scenario.case_template import IDENTIFIER, CaseTemplate, requirement
from rollout_conformance.steps.scenario.examples import outline_suffix
from rollout_conformance.steps.scenario.sentences import look_up

KEYWORDS = ("Given", "When", "Then", "And", "But", "Examples:", "Background:")
THEN = "then"
PREFIX = re.compile(r'for (?P<part>\w+) "(?P<label>[\w-]+)", (?P<rest>.+)')


@dataclass(frozen=True, slots=True)
class CompiledScenario:
    """A scenario, or one row of an outline, with the cases that it became."""

    name: str
    line: int
    feature: Feature
    scenario: Scenario
    cases: tuple[Case, ...]


def compile_feature(path: Path, profile: Profile, root: Path, folder: Path | None = None) -> list[CompiledScenario]:
    """Raises one `SuiteError` that lists everything that is wrong with the file."""
    shown = paths.shown(path, root, folder)
    texts.read(path, shown)  # what is no text is told as such, and not as Gherkin
    feature, document = _parsed(path, shown)
    written = _scenarios(document)
    problems = ErrorCollector(list(_titles(written, document.feature.language, shown)))
    compiled: list[CompiledScenario] = []
    lost = {one.location.line for one in written} - {one.line_number for one in feature.scenarios.values()}
    for template in feature.scenarios.values():
        one = next(one for one in written if one.location.line == template.line_number)
        compiled += problems.attempt(_Compiler(shown, feature, template, one, document, profile).all) or ()
    if not feature.scenarios and not problems.messages:
        problems.add(f"{shown}:1:1: the feature has no scenario; write `Scenario: ...` with its steps below it")
    problems.conclude()
    assert not lost, lost  # two of one title, which is among the problems
    return compiled


class _Parser(FeatureParser):
    """pytest-bdd's parser, which keeps what it read: the places of everything are there, and scenarios of one title."""

    document: GherkinDocument

    def _parse_feature_file(self) -> GherkinDocument:
        self.document = super()._parse_feature_file()
        return self.document


def _parsed(path: Path, shown: str) -> tuple[Feature, GherkinDocument]:
    parser = _Parser(str(path.parent), path.name, "utf-8-sig")
    try:
        return parser.parse(), parser.document
    except StepError as error:
        told = f"{error.args[0]} What stands before it is read as a description; is a keyword misspelt there?"
        raise SuiteError(f"{shown}:{error.line}:1: {told} Seen: {error.line_content}".rstrip()) from None
    except GherkinParseError as error:
        raise _not_gherkin(error, shown) from None
    except KeyError:
        raise SuiteError(f"{shown}:1:1: the file holds no feature; it begins with `Feature: ...`") from None


def _not_gherkin(error: GherkinParseError, shown: str) -> SuiteError:
    """The first mistake at its place; where the parser only lists what it would have taken, what that means."""
    found = re.search(r"\((\d+):(\d+)\): ([^\n]*)", str(error.args[0]))
    if not found and "Unexpected token" in str(error.args[0]):
        return SuiteError(f"{shown}:{error.line}:1: not Gherkin: {_unexpected(str(error.line_content or ''))}")
    if not found:
        return SuiteError(f"{shown}:{error.line}:1: not Gherkin: {error.args[0]} {error.line_content}".rstrip())
    told = found[3]
    if "unexpected end of file" in told and "DocStringSeparator" in told:
        told = 'the file ends within a text block; close it with """'
    return SuiteError(f"{shown}:{found[1]}:{max(1, int(found[2]))}: not Gherkin: {told}")


def _unexpected(line: str) -> str:
    """What is wrong with a line that the parser does not take where it stands."""
    word = line.split()[0] if line.split() else ""
    meant = next((one for one in KEYWORDS if one.rstrip(":").lower() == word.rstrip(":").lower()), None)
    if meant is not None and meant != word:
        return f"{word} is no keyword; write {meant}, with a capital letter first and small ones behind it. Seen: {line.strip()}"
    begin = "a step begins with Given, When, Then, And or But, a scenario with `Scenario:`"
    return f"this line begins with no keyword, and no description may stand here; {begin}. Seen: {line.strip()}"


def _scenarios(document: GherkinDocument) -> list[GherkinScenario]:
    """All scenarios in the order of the file, those of rules as well."""
    rules = [child for one in document.feature.children if one.rule for child in one.rule.children]
    return [child.scenario for child in [*document.feature.children, *rules] if child.scenario]


def _outlines(language: str) -> list[str]:
    """The keywords of an outline in a language."""
    spoken = Dialect.for_name(language)
    return spoken.scenario_outline_keywords if spoken is not None else []


def _titles(written: Iterable[GherkinScenario], language: str, shown: str) -> Iterator[str]:
    """What pytest-bdd would keep silent about."""
    outlines = _outlines(language)
    titles: dict[str, int] = {}
    for one in written:
        at = f"{shown}:{one.location.line}:{one.location.column}"
        title = one.name.strip()
        if not title:
            yield f"{at}: the scenario has no title, and `--case` could not name it"
        elif title in titles:
            yield f"{at}: the title {title!r} is taken by line {titles[title]}; that scenario would be lost"
        titles.setdefault(title, one.location.line)
        if "::" in title or "[" in title:
            yield f"{at}: a title may not contain :: or [, pytest could not select it"
        for line in one.description.splitlines():
            if found := similar_names(line.split()[0] if line.split() else "", KEYWORDS, 0.75):
                yield f"{at}: {line.strip()!r} is read as a description. Did you mean {found[0]}?"
        rows = sum(len(table.table_body or ()) for table in one.examples)
        if one.keyword in outlines and not rows:
            yield f"{at}: an outline without rows would run once, on its placeholders; write `Examples:` with a row below it, or make it a Scenario"
        if one.keyword not in outlines and one.examples:
            below = one.examples[0].location.line
            yield f"{shown}:{below}:1: Examples stand under a plain {one.keyword}. Write {outlines[0]}."


class _Compiler:
    """One scenario of a file."""

    def __init__(
        self,
        shown: str,
        feature: Feature,
        template: ScenarioTemplate,
        written: GherkinScenario,
        document: GherkinDocument,
        profile: Profile,
    ) -> None:
        self.shown, self.feature, self.template, self.written, self.profile = shown, feature, template, written, profile
        self.document = document
        self.at = Location(shown, written.location.line, written.location.column)
        self.problems = ErrorCollector()

    def all(self) -> list[CompiledScenario]:
        """Raises `SuiteError` with everything that is wrong with the scenario."""
        if not self.template.steps:
            raise self.at.problem("the scenario has no steps; write Given, When and Then below it, or remove it")
        outline = self.written.keyword in _outlines(self.document.feature.language)
        if outline and not any(table.table_body for table in self.written.examples):
            return []  # an outline without rows, which was told
        known = self._requirements()
        for told in self._columns():
            self.problems.add(told)
        self.problems.conclude()
        return [self._compiled(name, row, known) for name, row in self._rows()]

    def _rows(self) -> list[tuple[str, Mapping[str, object]]]:
        """The name and the values of each row of an outline."""
        rows = [row for table in self.template.examples for row in table.as_contexts()]
        if not rows:
            return [(self.template.name, {})]
        names = [self.template.render(row).name + outline_suffix(self.template.name, row) for row in rows]
        places = [row.location for table in self.written.examples for row in table.table_body or ()]
        for n, name in enumerate(names):
            if name in names[:n]:
                first = places[names.index(name)].line
                at = Location(self.shown, places[n].line, places[n].column)
                raise at.problem(f"this row is called as that of line {first}, {name!r}; take one of them out")
        return list(zip(names, rows, strict=True))

    def _columns(self) -> Iterator[str]:
        """Placeholders that the Examples have no column for."""
        for table in self.template.examples:
            for step in self.template.steps:
                for name in re.findall(r"<([^<>]+)>", step.name):
                    if name not in table.example_params:
                        at = Location(self.shown, step.line_number, step.indent + 1)
                        columns = ", ".join(table.example_params) or "none"
                        yield str(at.problem(f"the Examples have no column {name!r}; they have: {columns}"))

    def _compiled(self, name: str, row: Mapping[str, object], known: list[Requirement]) -> CompiledScenario:
        scenario = self.template.render(row)
        frame = self._frame(name, known, tuple(self._all_steps(scenario)))
        if self.problems.messages:
            for told in frame.wrong_names():
                self.problems.add(told)
        self.problems.conclude()
        cases = frame.cases()
        return CompiledScenario(name, self.template.line_number, self.feature, scenario, tuple(cases))

    def _requirements(self) -> list[Requirement]:
        """What the scenario is about, in the order of the file: the first is the one accused."""
        found = []
        for tag in self._tags():
            if IDENTIFIER.fullmatch(tag) or _is_identifier_in_small_letters(tag):
                try:
                    found.append(requirement(self.profile, tag))
                except ValueError as error:
                    self.problems.add(str(self._place_of(tag).problem(str(error))))
        if not found and not self.problems.messages:
            self.problems.add(str(self._no_requirement()))
        return found

    def _no_requirement(self) -> SuiteError:
        meant = next((tag for tag in self._tags() if tag.startswith(self.profile.name.upper())), None)
        if meant is None:
            first = next(iter(self.profile.catalogue))
            return self.at.problem(f"no requirement tag. Say what the scenario is about, as @{first}.")
        return self._place_of(meant).problem(unknown_name("requirement", meant, list(self.profile.catalogue)))

    def _frame(self, name: str, known: list[Requirement], steps: tuple[Step, ...]) -> CaseTemplate:
        tags = [tag for tag in self._tags() if not IDENTIFIER.fullmatch(tag)]

        def after(word: str) -> list[str]:
            return [tag.partition(":")[2] for tag in tags if tag.startswith(f"{word}:")]

        return CaseTemplate(
            profile=self.profile,
            name=name,
            about=known,
            steps=steps,
            at=self.at,
            dialects=[dialect for dialect in self.profile.dialects if dialect in tags],
            tags=[tag for tag in tags if not _is_ours(tag, self.profile)],
            needs=self.profile.needs_of(steps) | frozenset(after("needs")),
            variant=next(iter(after("variant")), ""),
            alone="alone" in tags,
            live=_live(tags),
            places={part: self._place_of(*tags) for part in ("dialects", "needs", "tags")},
        )

    def _tags(self) -> list[str]:
        """Tags in the order of the file, those of the scenario first."""
        above = [tag.name.lstrip("@") for tag in self.written.tags]
        return [*above, *sorted(tag for tag in self.feature.tags if tag not in above)]

    def _place_of(self, *tags: str) -> Location:
        """Where the first of these tags stands, or the scenario."""
        for one in (*self.written.tags, *self.document.feature.tags):
            if one.name.lstrip("@") in tags:
                return Location(self.shown, one.location.line, one.location.column)
        return self.at

    def _all_steps(self, scenario: Scenario) -> list[Step]:
        steps: list[Step] = []
        for gherkin in scenario.steps:
            before = tuple(step.what for step in steps if is_action(step.what))
            found = self.problems.attempt(lambda g=gherkin, b=before: list(self._steps(g, b))) or ()  # type: ignore[misc]
            if gherkin.type != THEN and any(is_action(one.what) for one in found):
                self._not_below_then(gherkin, steps)
            steps += found
        return steps

    def _not_below_then(self, gherkin: GherkinStep, above: Iterable[Step]) -> None:
        """What is expected is judged when the scenario has ended: a step below a Then would change what that Then is about."""
        expected = next((one for one in above if is_expectation(one.what)), None)
        if expected is not None:
            at = Location(self.shown, gherkin.line_number, gherkin.indent + 1)
            self.problems.add(
                str(
                    at.problem(
                        f"{gherkin.keyword} {gherkin.name}: this stands below a Then (line {expected.at.line}), which is judged when the whole "
                        "scenario has ended. Write every Given and When above the first Then, or make it a scenario of its own"
                    )
                )
            )

    def _steps(self, gherkin: GherkinStep, before: tuple[Action, ...]) -> Iterator[Step]:
        at = Location(self.shown, gherkin.line_number, gherkin.indent + 1)
        prefix = PREFIX.fullmatch(gherkin.name)
        ours = prefix is not None and prefix["part"] == self.profile.part
        text, label = (prefix["rest"], prefix["label"]) if prefix and ours else (gherkin.name, "")
        context, arguments, parameters = self._looked_up(gherkin.type, text, at)
        table = gherkin.datatable and gherkin.datatable.raw()
        for name, below, what in (("docstring", gherkin.docstring, "text block"), ("datatable", table, "table")):
            if (below is not None) != (name in parameters):
                told = f"takes no {what}" if below is not None else _needs(what, context.step_func)
                raise at.problem(f"{gherkin.keyword} {gherkin.name}: this sentence {told}")
            if name in parameters:
                arguments = {**arguments, name: below}
        if "before" in parameters and "before" not in arguments:  # a member of a verb may have that name
            arguments = {**arguments, "before": before}
        try:
            value = (
                CallStep(context.step_func, tuple(arguments.items()))
                if "session" in parameters
                else context.step_func(**arguments)
            )
        except SuiteError as error:
            raise self._within_block(error, gherkin, at) from None
        except RowError as error:
            raise self._at_row(error, gherkin, at) from None
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise at.problem(f"{gherkin.keyword} {gherkin.name}: {plain(error)}") from None
        for what in value if isinstance(value, tuple) else (value,):
            if not (is_action(what) or is_expectation(what)):
                raise at.problem(f"the phrase gave {what!r}, which is neither an action nor an expectation")
            yield Step(_about(what, self.profile.part, label), at, f"{gherkin.keyword} {gherkin.name}")

    def _looked_up(self, kind: str, text: str, at: Location) -> Any:
        found = look_up(kind, text, self.profile.name)
        if len(found) == 1:
            return found[0]
        if found:
            names = " and ".join(context.step_func.__name__ for context, _, _ in found)
            raise at.problem(f"{kind} {text}: two phrases fit, {names}; make one of them narrower")
        raise at.problem(unknown_sentence.told(kind, text, self.profile))

    def _written_step(self, gherkin: GherkinStep) -> Any:
        """A step as the file has it, with the places of what stands below it; a step of a Background is none."""
        steps = [step for one in _scenarios(self.document) for step in one.steps]
        return next((step for step in steps if step.location.line == gherkin.line_number), None)

    def _at_row(self, error: RowError, gherkin: GherkinStep, at: Location) -> SuiteError:
        """A mistake in a row of a table is reported at the line of the row."""
        table = getattr(self._written_step(gherkin), "datatable", None)
        if table is not None:
            place = table.rows[error.row].location
            at = Location(self.shown, place.line, place.column)
        return at.problem(f"row {error.row + 1}: {plain(error)}")

    def _within_block(self, error: SuiteError, gherkin: GherkinStep, at: Location) -> SuiteError:
        """A mistake in a text block is reported at its own line of the file."""
        block = getattr(self._written_step(gherkin), "docstring", None)
        if block is None or BLOCK not in str(error):
            return at.problem(f"{gherkin.keyword} {gherkin.name}: {error}")

        def placed(found: re.Match[str]) -> str:
            return f"{self.shown}:{block.location.line + int(found[1])}:{block.location.column + int(found[2]) - 1}:"

        return SuiteError(re.sub(rf"{BLOCK}:(\d+):(\d+):", placed, str(error)))


def _needs(what: str, function: object) -> str:
    """That a text block or a table is missing, with an example of one."""
    return "".join([f"needs a {what} below it, as", *(f"\n    {line}" for line in written(example_below(function)))])


def _is_ours(tag: str, profile: Profile) -> bool:
    """Whether a tag says how a case is played, and is no mark of it."""
    return tag in (*profile.dialects, "alone", "live", "live:invariants") or tag.startswith(("needs:", "variant:"))


def _is_identifier_in_small_letters(tag: str) -> bool:
    return any(re.fullmatch(rf"{name}-\d+", tag, re.IGNORECASE) for name in PROFILES)


def _live(tags: list[str]) -> Live | None:
    """`@live`: every Then holds whatever a real model says; `@live:invariants`: the Thens are about the script alone."""
    if "live:invariants" in tags:
        return Live(())
    return Live() if "live" in tags else None


def _about(what: Any, part: str, label: str) -> Any:
    """The verb, about the part of the case that has this label."""
    if label and any(field.name == part for field in fields(what)):
        return replace(what, **{part: label})
    return what
