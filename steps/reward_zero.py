"""Why a reward is zero: the causes in the order of their likelihood, and what a run found of each (contracts/reward_zero.yaml)."""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from re import Pattern

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rollout_conformance.steps import catalogues
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import BROKEN, Finding, SuiteError, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.printable import printable
from rollout_conformance.steps.paths import CONTRACTS

FILE = CONTRACTS / "reward_zero.yaml"
RARE = 10  # what less than one in ten of the cases breaks that judge it is no fault of every rollout
DECIDED = {*BROKEN, Verdict.PASS}
TEXT = 200  # characters of a text of others
Shows = Callable[[Finding], bool]  # whether a finding is evidence of a cause


class Cause(BaseModel):
    """`seen` is what a user sees of it, `requirements` what finds it. A finding of a requirement that `evidence`
    names counts where its text matches: the requirement may be broken with another effect than this one. A right request that was
    rejected is evidence of the cause with `rejections` alone, whatever its case is about: what the case would have shown did not arise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: str
    seen: str
    requirements: list[str] = Field(min_length=1)
    evidence: dict[str, Pattern[str]] = {}
    rejections: Pattern[str] | None = None
    sources: list[str] = []

    def shown_by(self, finding: Finding, by_case: Collection[str], rejections: Pattern[str] | None = None) -> bool:
        """Whether a finding is evidence of this cause. What a case expects accuses the requirement that the case is about, whatever went
        wrong in it: that is evidence only of what is judged `by_case`. `rejections` are those of the profile."""
        if finding.strict_only:
            return False
        text = f"{finding.expected}\n{finding.observed}"
        if rejections is not None and rejections.search(text):
            return self.rejections is not None
        if finding.requirement not in self.requirements:
            return False
        if finding.at is not None and finding.requirement not in by_case:
            return False
        needed = self.evidence.get(finding.requirement)
        return needed is None or needed.search(text) is not None

    def names(self, outcomes: Iterable[Outcome]) -> list[str]:
        """The requirements of which findings may be evidence."""
        if self.rejections is None:
            return self.requirements
        found = {one.requirement for outcome in outcomes for one in outcome.judgement.findings}
        return [*self.requirements, *sorted(found - {*self.requirements})]


@dataclass(frozen=True, slots=True)
class Breach:
    """How a requirement is broken in `cases` of the `judged` cases that show whether it is kept, with the first finding."""

    requirement: str
    finding: Finding
    example: Case
    cases: int
    judged: int

    @property
    def rare(self) -> bool:
        """Whether nearly all cases keep the requirement: what breaks it is a special situation, and not every rollout."""
        return self.cases * RARE < self.judged


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of a cause: how its requirements are broken, how many were judged and kept, and which are broken with another effect."""

    cause: Cause
    broken: Sequence[Breach] = ()
    kept: int = 0
    otherwise: Sequence[str] = ()

    @property
    def state(self) -> str:
        """Of a cause that was not seen: what is known of its requirements."""
        if not self.kept and not self.otherwise:
            return "not judged: no case about it applies to this target"
        open_ = len(self.cause.requirements) - self.kept - len(self.otherwise)
        parts = [f"{self.kept} kept"] if self.kept else []
        parts += [f"{', '.join(self.otherwise)} broken with another effect"] if self.otherwise else []
        return ", ".join([*parts, f"{open_} not judged"] if open_ else parts)

    @property
    def partly(self) -> bool:
        """Whether it is seen in special situations only, so that it does not explain a reward that is zero everywhere."""
        return bool(self.broken) and all(one.rare for one in self.broken)


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


def diagnoses(profile: str, outcomes: Sequence[Outcome], first: Sequence[str] = ()) -> list[Diagnosis]:
    """The causes with what was found, in the order of their likelihood. Evidence goes before likelihood: what breaks in most rollouts
    comes first, and of that what broke `first` in the cases."""
    by_case = {name for name, one in catalogues.of(profile).items() if "case" in one.judged_by}
    known = causes(profile)
    rejections = next((one.rejections for one in known if one.rejections is not None), None)
    found = [_diagnosis(one, outcomes, partial(one.shown_by, by_case=by_case, rejections=rejections)) for one in known]
    place = {name: n for n, name in enumerate(first)}
    return sorted(
        found,
        key=lambda one: (
            not one.broken,
            one.partly,
            min((place.get(breach.requirement, len(place)) for breach in one.broken), default=len(place)),
        ),
    )


def _diagnosis(cause: Cause, outcomes: Sequence[Outcome], shows: Shows) -> Diagnosis:
    broken = [one for name in cause.names(outcomes) if (one := _breach(name, outcomes, shows))]
    kept = {name for one in outcomes for name, verdict in one.judgement.requirements.items() if verdict == Verdict.PASS}
    shown = {one.requirement for outcome in outcomes for one in outcome.judgement.findings if not one.strict_only}
    otherwise = [name for name in cause.requirements if name in shown - {one.requirement for one in broken}]
    return Diagnosis(cause, broken, len(kept & set(cause.requirements) - shown), otherwise)


def _breach(name: str, outcomes: Sequence[Outcome], shows: Shows) -> Breach | None:
    shown = [(one, finding) for one in outcomes for finding in one.judgement.findings if finding.requirement == name]
    evidence = [(one, finding) for one, finding in shown if shows(finding)]
    if not evidence:
        return None
    judged = sum(one.judgement.requirements.get(name) in DECIDED for one in outcomes)
    outcome, finding = evidence[0]
    return Breach(name, finding, outcome.case, len({id(one) for one, _ in evidence}), judged)


def lines(found: list[Diagnosis]) -> Iterator[str]:
    """What is broken first, each with what one sees of it and what was observed; then what is sound and what was not judged."""
    for one in found:
        if one.broken:
            yield f"{'PARTLY' if one.partly else 'BROKEN'}  {one.cause.cause}"
            yield f"  what you see  {one.cause.seen}"
            yield from (line for breach in one.broken for line in _evidence(breach))
            yield from (f"  also seen in  {source}" for source in one.cause.sources)
            yield ""
    for one in found:
        if not one.broken:
            yield f"{'sound' if one.kept else '?':<6}  {one.cause.cause}  ({one.state})"
    yield ""
    yield sentence(found)


def _evidence(breach: Breach) -> Iterator[str]:
    often = f"in {breach.cases} of the {breach.judged} cases that judge it" if breach.judged > 1 else "in its only case"
    yield f"  {breach.requirement}   {often}, such as {printable(breach.example.name)[:TEXT]!r}"
    yield f"    expected    {_short(breach.finding.expected)}"
    yield f"    observed    {_short(breach.finding.observed)}"


def _short(text: str) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= TEXT else f"{line[:TEXT]} ..."


def sentence(found: list[Diagnosis]) -> str:
    broken = [one for one in found if one.broken]
    silent = sum(not one.kept and not one.broken for one in found)
    open_ = f" {silent} of {len(found)} causes could not be judged." if silent else ""
    if broken and broken[0].partly:
        return (
            "Nothing was seen that makes every reward zero. In special situations only: "
            f"{broken[0].cause.cause} `explain {broken[0].broken[0].requirement}` has the details.{open_}"
        )
    if broken:
        return f"Most likely: {broken[0].cause.cause} `explain {broken[0].broken[0].requirement}` has the details."
    if silent == len(found):
        return f"Nothing could be judged.{open_}"
    return (
        f"Nothing at this seam was seen that makes a reward zero: look at the task, the grader and the policy.{open_}"
    )
