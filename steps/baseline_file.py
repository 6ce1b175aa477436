"""The file of a baseline: read with every mistake named, and written from what a run found. docs/baselines.md describes the format."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps import catalogues
from rollout_conformance.steps.baseline import Baseline, Entry, Known
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.findings import SuiteError, counts
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.engine.suggestions import similar_names
from rollout_conformance.steps.engine.yaml_source import Source

EXAMPLE = (
    "- requirement: ROLLOUT-049\n  reason: the agent serialises arguments again\n  cases: [a name, an id, floats*]"
)
UNEXPLAINED = "not explained yet; failed on"


class _Written(Entry):
    """An entry as it stands in a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="after")
    def _one_way(self) -> "_Written":
        if self.case is not None and self.cases:
            raise ValueError("`case` is one name and `cases` a list of them: write one of the two")
        return self


def load(file: Path | None, level: str = "must") -> Baseline:
    """The baseline in a file; an empty one without a file. Raises `SuiteError` with every mistake and its place."""
    if file is None:
        return Baseline(level=level)
    source = yaml_source.read(file)
    if not isinstance(source.value, list):
        raise source.problem((), f"a baseline is a list of entries, such as\n\n{EXAMPLE}")
    problems = ErrorCollector()
    known: list[Known] = []
    for n in range(len(source.value)):
        known += problems.attempt(lambda n=n: _entry(source, n)) or ()  # type: ignore[misc]
    problems.conclude()
    return Baseline(known, level)


def _entry(source: Source, n: int) -> list[Known]:
    value = source.value[n]
    if not isinstance(value, dict):
        raise source.problem((n,), f"an entry has the members requirement and reason, not only {value!r}:\n\n{EXAMPLE}")
    model: type[BaseModel] = _Written
    entry = yaml_source.validated(model, source, value, (n,))
    assert isinstance(entry, Entry)
    if catalogues.profile_with(entry.requirement) is None:
        raise source.problem((n, "requirement"), _unknown(entry.requirement))
    key = "cases" if entry.cases else "case"
    places = [(n, key, m) if entry.cases else (n, key) for m, _ in enumerate(entry.patterns)]
    return [Known(entry, pattern, source.at(place)) for pattern, place in zip(entry.patterns, places, strict=True)]


def _unknown(name: str) -> str:
    every = [one for profile in catalogues.readable() for one in catalogues.of(profile)]
    near = similar_names(name, every, 0.75)
    hint = f"Near it: {', '.join(near)}." if near else f"Ids look like {every[0]}."
    return f"there is no requirement {name!r}. {hint}"


def write(file: Path, baseline: Baseline, outcomes: Sequence[Outcome], stale: Collection[Known], about: str) -> int:
    """Write what failed these outcomes as known, beside what is known already and not stale. The reasons of known entries stay.

    Gives how many requirements are listed. Raises `SuiteError` when the file cannot be written.
    """
    listed = _listed(baseline, outcomes, stale)
    lines = [
        f"# Known failures of {_shown(about)}, written by `rollout-conformance run --write-baseline` on {baseline.today}.",
        "# They are played and counted, and do not fail a run. Write the reason of each; docs/baselines.md has the format.",
        *(line for entry, cases in listed for line in _lines(entry, cases)),
    ]
    try:
        file.write_text("\n".join(lines) + ("\n" if listed else "\n[]\n"), encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"--write-baseline {file}: cannot be written: {error.strerror}") from error
    return len({entry.requirement for entry, _ in listed})


def _listed(baseline: Baseline, outcomes: Sequence[Outcome], stale: Collection[Known]) -> list[tuple[Entry, list[str]]]:
    """Each entry with its cases, by requirement: first those that are kept, then one for what is new of each requirement."""
    kept: dict[Entry, list[str]] = {}
    for one in baseline.known:
        if one not in stale:
            kept.setdefault(one.entry, []).append(one.pattern)
    new: dict[str, dict[str, None]] = {}
    for outcome, requirement in _unknown_failures(baseline, outcomes, kept):
        new.setdefault(requirement, {})[outcome.case.id] = None
    reason = f"{UNEXPLAINED} {baseline.today}"
    found = [(Entry(requirement=name, reason=reason), list(cases)) for name, cases in new.items()]
    return sorted([*kept.items(), *found], key=lambda one: (one[0].requirement, one[0].reason.startswith(UNEXPLAINED)))


def _unknown_failures(
    baseline: Baseline, outcomes: Sequence[Outcome], kept: Iterable[Entry]
) -> Iterator[tuple[Outcome, str]]:
    """What fails and is not known. A case in which a requirement counts less than elsewhere (it is about a SHOULD, say) is listed beside
    the others of that requirement: else it would be a warning about what is known."""
    new = [(o, one) for o in outcomes for one in o.judgement.findings if not one.known]
    listed = {entry.requirement for entry in kept}
    for _, finding in new:
        levels = {name: entry.level for name, entry in _catalogue(finding.requirement).items()}
        if counts(finding.level(levels), baseline.level):
            listed.add(finding.requirement)
    yield from ((outcome, finding.requirement) for outcome, finding in new if finding.requirement in listed)


def _catalogue(requirement: str) -> Mapping[str, Requirement]:
    return catalogues.of(catalogues.profile_with(requirement) or "")


def _lines(entry: Entry, cases: Sequence[str]) -> Iterator[str]:
    yield ""
    requirement = _catalogue(entry.requirement)[entry.requirement]
    yield f"# {requirement.level.upper()}: {' '.join(requirement.sentence.split())}"
    yield f"- requirement: {entry.requirement}"
    yield f"  reason: {_quoted(entry.reason)}"
    if entry.until is not None:
        yield f"  until: {entry.until}"
    if entry.flaky is not None:
        yield f"  flaky: {entry.flaky}"
    if list(cases) != ["*"]:
        yield "  cases:"
        yield from (f"  - {_quoted(case)}" for case in cases)


def _shown(text: str) -> str:
    """A text in a comment: without secrets, and without what would end the line."""
    return "".join(sign if sign.isprintable() else "?" for sign in redacted(text))


def _quoted(text: str) -> str:
    """A text as a scalar in quotes: as JSON writes it, unless it has what YAML allows in no file."""
    return (
        json.dumps(text, ensure_ascii=False)
        if text.isprintable()
        else yaml.safe_dump(text, default_style='"', width=10**6).strip()
    )
