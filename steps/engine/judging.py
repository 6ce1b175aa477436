"""What the trace of a finished case amounts to: its expectations, the invariants, and what rests on what. It awaits nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from rollout_conformance.steps.engine.cases import Case, Step
from rollout_conformance.steps.engine.cases import judge as demanded
from rollout_conformance.steps.engine.findings import (
    LEVELS,
    Cause,
    Evidence,
    Finding,
    Judgement,
    Satisfied,
    SuiteError,
    Verdict,
    judge,
)
from rollout_conformance.steps.engine.session import S, Session, State
from rollout_conformance.steps.engine.trace import Trace

V = TypeVar("V", default=Any)


class JudgingProfile(Protocol[S, V]):
    """What judging needs of a profile. `V` is what it makes of a finished session: the view that the invariants judge."""

    @property
    def levels(self) -> Mapping[str, str]: ...
    @property
    def by_invariants(self) -> frozenset[str]: ...
    @property
    def replaces_duplicates(self) -> frozenset[str]: ...
    @property
    def masks_other_findings(self) -> frozenset[str]: ...
    @property
    def hints(self) -> Mapping[str, str]: ...
    @property
    def at_any_level(self) -> frozenset[str]: ...
    @property
    def read(self) -> Callable[[Session[S], Case], V]: ...
    @property
    def cause(self) -> Callable[[Case, V], Cause | None]: ...
    @property
    def inconclusive_reason(self) -> Callable[[Case, V], str | None]: ...
    def dialects_of(self, requirement: str) -> tuple[str, ...]: ...
    def checked(self, view: V) -> Iterable[Evidence]: ...


@dataclass(frozen=True, slots=True)
class Judging(Generic[S, V]):
    """`level` is the weakest level that fails a case, `strict` counts null against absent as a change."""

    profile: JudgingProfile[S, V]
    level: str = "must"
    strict: bool = False

    def judgement(self, case: Case, session: Session[S]) -> Judgement:
        """What the trace of a session shows, as this case judges it."""
        if session.trace.troubles:
            raise SuiteError(session.trace.troubles[0])
        view = self.profile.read(session, case)
        cause = self.profile.cause(case, view)
        if cause is not None:
            cause = _clocked(cause, session.trace)
            if cause.again:
                session.busy()
            return self.resting(case, view, cause)
        evidence: list[Evidence] = []
        spoke = bool(case.expectations)
        for step in case.expectations:
            said = [self._placed(item, step, case) for item in demanded(step, view, case.requirements[0])]
            spoke = spoke and bool(said)
            evidence += (_about_time(item, session.trace) for item in said)
        # A demand that could not be decided says nothing, and then nothing is held for it either.
        if spoke and not any(isinstance(item, Finding) for item in evidence):
            evidence += [Satisfied(name) for name in case.requirements if name not in self.profile.by_invariants]
        evidence = self._counted([*evidence, *self.profile.checked(view)], case)
        evidence = _without_masked(
            _without_duplicates(evidence, self.profile.replaces_duplicates), self.profile.masks_other_findings
        )
        evidence += _silences(case, session, evidence)
        judgement = judge(self.capped(evidence, case), case.requirements, self.profile.levels, self.level)
        reason = self.profile.inconclusive_reason(case, view) if judgement.verdict is Verdict.FAIL else None
        return Judgement(Verdict.INCONCLUSIVE, {}, (), reason) if reason else judgement

    def resting(self, case: Case, view: V, cause: Cause) -> Judgement:
        """What is left to judge of a case that ended otherwise: that end, and what was seen before it."""
        seen = _without_masked(self._counted([*self.profile.checked(view)], case), self.profile.masks_other_findings)
        before = [item for item in seen if _precedes(item, cause)]
        evidence = self.capped([*([cause.finding] if cause.finding else []), *before], case)
        judgement = judge(evidence, case.requirements, self.profile.levels, self.level)
        verdict = judgement.verdict if judgement.verdict is Verdict.FAIL or cause.finding else Verdict.INCONCLUSIVE
        return replace(judgement, verdict=verdict, reason=cause.reason, unjudged=len(case.expectations), cause=cause)

    def capped(self, evidence: list[Evidence], case: Case) -> list[Evidence]:
        """A case about a SHOULD may ask for more than servers owe; what that leads to counts no more than the SHOULD itself."""
        if not case.requirements:  # a generated request is about none
            return evidence
        cap = min((self.profile.levels[name] for name in case.requirements), key=LEVELS.index)
        return [
            replace(item, cap=max(cap, item.cap or cap, key=LEVELS.index))
            if isinstance(item, Finding) and item.requirement not in self.profile.at_any_level
            else item
            for item in evidence
        ]

    def _placed(self, item: Evidence, step: Step, case: Case) -> Evidence:
        """A finding with the line of the case, and with what may be declared if the target is right to be so."""
        if not isinstance(item, Finding):
            return item
        hint = next((text for need, text in self.profile.hints.items() if need in case.needs), "")
        return replace(item, at=item.at or step.at, hint=item.hint or hint)

    def _counted(self, evidence: list[Evidence], case: Case) -> list[Evidence]:
        """Evidence that belongs to the dialect, with what only the strict reading counts set aside."""
        kept: list[Evidence] = []
        for item in evidence:
            if isinstance(item, Finding) and item.strict_only and not self.strict:
                kept.append(Satisfied(item.requirement))
            else:
                kept.append(item)
        return [item for item in kept if case.dialect in self.profile.dialects_of(item.requirement)]


def _clocked(cause: Cause, trace: Trace) -> Cause:
    found = _about_time(cause.finding, trace) if cause.finding is not None else None
    return replace(cause, finding=found) if isinstance(found, Finding) else cause


def _about_time(item: Evidence, trace: Trace) -> Evidence:
    """What rests on a response of the target that had not arrived when the case ended is shown by the clock alone: the target may be slow."""
    if not isinstance(item, Finding):
        return item
    cited = (trace.exchanges[n] for n in item.exchanges if n < len(trace.exchanges))
    return replace(item, timing=item.timing or any(one.to_target and one.is_out_of_time for one in cited))


def _precedes(item: Evidence, cause: Cause) -> bool:
    """Whether evidence was seen before the case went wrong, and so does not rest on it."""
    return isinstance(item, Finding) and bool(item.exchanges) and max(item.exchanges) < cause.since


def _without_duplicates(evidence: list[Evidence], by: frozenset[str]) -> list[Evidence]:
    """Without the demands that only repeat what an invariant found: one breach, one accusation."""
    if not any(
        isinstance(item, Finding) and not item.duplicates_invariant and item.requirement in by for item in evidence
    ):
        return evidence
    return [item for item in evidence if not (isinstance(item, Finding) and item.duplicates_invariant)]


def _without_masked(evidence: list[Evidence], by: frozenset[str]) -> list[Evidence]:
    """A breach after which nothing in the trace means what it seems to is the only one that is reported, with what was seen before it."""
    masking = [item for item in evidence if isinstance(item, Finding) and item.requirement in by]
    if not masking:
        return evidence
    first = min(min(item.exchanges, default=0) for item in masking)
    return [
        item
        for item in evidence
        if not isinstance(item, Finding) or item.requirement in by or (item.exchanges and max(item.exchanges) < first)
    ]


def _silences(case: Case, session: Session[S], evidence: list[Evidence]) -> list[Evidence]:
    """A case that waited in vain breaks its first requirement, unless something else already says why."""
    if any(isinstance(item, Finding) for item in evidence):
        return []
    state: State = session.state
    waited = state.get("wait_timeouts", [])
    observed = f"nothing for {session.patience_s:g} s"
    return [Finding(case.requirements[0], what, observed, timing=True) for _, what in waited]
