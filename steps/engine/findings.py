"""Verdicts, findings, and the one place where a case is triaged.

A finding says that *they* broke a requirement. A `SuiteError` says that *we* could not judge. The two never mix.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class SuiteError(Exception):
    """We could not judge: the case, the suite or the way to the target is at fault, not the target's conduct."""


class Verdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"
    INCONCLUSIVE = "inconclusive"
    IGNORED = "ignored"  # of a requirement only: a parameter was accepted and had no effect


BROKEN = (Verdict.FAIL, Verdict.IGNORED)
LEVELS = ("must", "should", "may")


@dataclass(frozen=True, slots=True)
class Location:
    """Where in a feature or scenario file something was written; lines and columns count from 1."""

    file: str
    line: int
    column: int = field(default=1, compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def problem(self, message: str) -> SuiteError:
        """What is wrong there, as an error that names the place."""
        return SuiteError(f"{self.file}:{self.line}:{self.column}: {message}")


@dataclass(frozen=True, slots=True)
class Satisfied:
    """Evidence that a requirement was kept: the occasion arose and the target did right."""

    requirement: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One requirement broken once.

    `expected` is what the requirement or the case demands, `observed` what happened, both with values. `exchanges` are the numbers of
    the HTTP exchanges in the trace that show it. `strict_only` marks a breach that only the strict reading of null counts.
    `duplicates_invariant` marks a demand that an invariant judges as well; it is dropped when that one has spoken. `ignored` when what was
    asked for was accepted and had no effect. `timing` when only the clock says so. `cap` is the strongest
    level that the finding counts at, where a case about a weaker requirement brought it about. `known` is the reason for which a baseline
    excuses it, `hint` what the card of a target declares for which this is right. `proof` are more exchanges that a reader needs; what comes
    before what is told by `exchanges` alone.
    """

    requirement: str
    expected: str
    observed: str
    exchanges: tuple[int, ...] = ()
    state: str | None = None
    at: Location | None = None
    strict_only: bool = False
    duplicates_invariant: bool = False
    ignored: bool = False
    cap: str | None = None
    timing: bool = False
    known: str = ""
    hint: str = ""
    proof: tuple[int, ...] = ()

    @property
    def shown_in(self) -> tuple[int, ...]:
        """All exchanges that a reader is shown, in their order."""
        return tuple(sorted({*self.exchanges, *self.proof}))

    def level(self, levels: Mapping[str, str]) -> str:
        """The level of its requirement, or the cap where that is weaker."""
        return max(levels[self.requirement], self.cap or LEVELS[0], key=LEVELS.index)


Evidence = Satisfied | Finding


def evidence(
    requirement: str,
    ok: bool,
    expected: str,
    observed: str,
    *exchanges: int,
    cap: str | None = None,
    timing: bool = False,
    ignored: bool = False,
    strict_only: bool = False,
    duplicates_invariant: bool = False,
    proof: tuple[int, ...] = (),
) -> Evidence:
    """What one comparison shows of a requirement; a breach is shown by these exchanges, and marked as `Finding` says."""
    if ok:
        return Satisfied(requirement)
    return Finding(
        requirement,
        expected,
        observed,
        exchanges,
        cap=cap,
        timing=timing,
        ignored=ignored,
        strict_only=strict_only,
        duplicates_invariant=duplicates_invariant,
        proof=proof,
    )


@dataclass(frozen=True, slots=True)
class Cause:
    """Why what a case is about, a request say, ended otherwise than its case gives reason for; what rests on that end is not judged.

    `finding` is the requirement that this end breaks; None when it proves nothing about the target (it was full, say), and then the case
    is inconclusive for `reason`. `since` is the first exchange that may be a consequence: what an earlier one shows is judged all the
    same. `again` when something else than the case may be why: it is played once more alone, and judged by that. `certain`
    when the requirement of `finding` is the one that is broken, whatever the cases with this end are about. `beside` when other cases in
    flight may be why: it is played once more alone until it is confirmed. `starved` when a target that waited for a CPU may have run into
    limits of its own: it is no finding while the target did. `common` is the requirement that this end breaks
    where cases about several requirements show it; None: the one that the profile names for every end.
    """

    reason: str
    finding: Finding | None = None
    since: int = 0
    again: bool = False
    certain: bool = False
    beside: bool = False
    starved: bool = False
    common: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the evidence of one case amounts to. `known` are the reasons for which a baseline excuses all that fails it; `flaky` when that is
    because it did not fail each time it was played."""

    verdict: Verdict
    requirements: Mapping[str, Verdict]
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    unjudged: int = 0  # expectations that rest on `cause`
    cause: Cause | None = None
    known: str = ""
    flaky: bool = False

    @property
    def failed(self) -> bool:
        """Whether the case fails its run."""
        return self.verdict is Verdict.FAIL and not self.known


def requirement_verdicts(evidence: Iterable[Evidence], about: Iterable[str]) -> dict[str, Verdict]:
    """One verdict a requirement: fail beats pass, and what the case is about but never arose is inconclusive."""
    verdicts = dict.fromkeys(about, Verdict.INCONCLUSIVE)
    for item in evidence:
        if isinstance(item, Finding):
            known = verdicts.get(item.requirement)
            verdicts[item.requirement] = Verdict.IGNORED if item.ignored and known is not Verdict.FAIL else Verdict.FAIL
        elif verdicts.get(item.requirement) not in BROKEN:
            verdicts[item.requirement] = Verdict.PASS
    return verdicts


def judge(evidence: Iterable[Evidence], about: tuple[str, ...], levels: Mapping[str, str], fails_on: str) -> Judgement:
    """Triage one executed case.

    `levels` gives each requirement's level, `fails_on` the weakest level whose breach fails a case (`must` is the strongest).
    """
    evidence = tuple(evidence)
    verdicts = requirement_verdicts(evidence, about)
    findings = tuple(item for item in evidence if isinstance(item, Finding))
    counted = [f for f in findings if counts(f.level(levels), fails_on)]
    silent = [name for name in about if verdicts[name] is Verdict.INCONCLUSIVE]
    if counted:
        return Judgement(Verdict.FAIL, verdicts, findings)
    if silent:
        reason = f"no occasion arose to judge {', '.join(silent)}"
        return Judgement(Verdict.INCONCLUSIVE, verdicts, findings, reason)
    return Judgement(Verdict.PASS, verdicts, findings)


def counts(level: str, fails_on: str) -> bool:
    """Whether a breach at `level` fails a run that fails on `fails_on`."""
    return LEVELS.index(level) <= LEVELS.index(fails_on)
