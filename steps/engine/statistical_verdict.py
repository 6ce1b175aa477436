"""Several runs of one case whose replies are sampled: judged k of N, never on one draw.

What an invariant finds counts in every run: no draw excuses a broken protocol. What the case demands of the content has to hold in as
many runs as it says, and the verdict says how much that proves.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import NormalDist

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Finding, Judgement, Verdict
from rollout_conformance.steps.engine.outcome import Outcome

CONFIDENCE = 0.95


def verdict(
    case: Case, outcomes: Sequence[Outcome], counted: Callable[[str], bool] = lambda requirement: True
) -> Outcome:
    """One outcome for all runs; that of the run that decides, with the count as its reason. `counted` says of a requirement whether its
    breach fails the run."""
    if len(outcomes) == 1 or case.live is None:
        return replace(outcomes[0], case=case)
    decisive = next((one for one in outcomes if _is_beyond_doubt(one.judgement, counted)), None)
    if decisive is not None:
        return replace(decisive, case=case)
    held = [one for one in outcomes if one.judgement.verdict is Verdict.PASS]
    told = f"{len(held)} of {len(outcomes)} runs held, {case.live.least} were asked for; "
    told += f"by that, at least {least_share(len(held), len(outcomes)):.0%} of all runs would ({CONFIDENCE:.0%} sure)"
    good = len(held) >= case.live.least
    shown = held[0] if good else next(one for one in outcomes if one.judgement.verdict is not Verdict.PASS)
    judgement: Judgement = replace(shown.judgement, reason=told)
    return replace(shown, case=case, judgement=judgement, seconds=sum(one.seconds for one in outcomes))


def _is_beyond_doubt(judgement: Judgement, counted: Callable[[str], bool]) -> bool:
    """An error of ours, or a breach that is none of content: invariants name no line of the case."""
    broken = judgement.verdict is Verdict.FAIL and any(
        _is_invariant(f) and counted(f.requirement) for f in judgement.findings
    )
    return broken or judgement.verdict is Verdict.ERROR


def _is_invariant(finding: Finding) -> bool:
    return finding.at is None


def least_share(held: int, runs: int) -> float:
    """The lower end of Wilson's interval, one-sided: what share of all runs holds at least, as far as these tell."""
    z: float = NormalDist().inv_cdf(CONFIDENCE)
    share = held / runs
    middle = share + z * z / (2 * runs)
    width: float = z * ((share * (1 - share) + z * z / (4 * runs)) / runs) ** 0.5
    return max(0.0, (middle - width) / (1 + z * z / runs))
