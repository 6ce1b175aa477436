"""What is known of a run that is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.baseline_check import Outdated
from rollout_conformance.steps.engine.causes import Cause, causes
from rollout_conformance.steps.engine.failure_report import Group, collapse
from rollout_conformance.steps.engine.findings import Location, Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.printable import printable as printable
from rollout_conformance.steps.engine.run_summary import broken_requirements


@dataclass(frozen=True, slots=True)
class RunFacts:
    """`sentence` is the verdict of the run, `ended` what ended it early, `stale` what is to be changed in its baseline,
    `not_judged` lines about the entries of it that this run cannot tell anything of, `not_played` lines about cases that it could not play.
    `seconds` is how long the run took by the clock."""

    profile: str
    target: str
    level: str
    catalogue: Mapping[str, Requirement]
    outcomes: Sequence[Outcome]
    sentence: str
    ended: str | None = None
    stale: Sequence[Outdated] = ()
    not_judged: Sequence[str] = ()
    not_played: Sequence[str] = ()
    seconds: float | None = None

    @property
    def groups(self) -> list[Group]:
        return collapse(self.outcomes, self.catalogue)

    @property
    def causes(self) -> list[Cause]:
        return causes(self.outcomes, self.catalogue)

    @property
    def broken(self) -> list[str]:
        return broken_requirements(self.outcomes, self.catalogue, self.level)

    @property
    def known(self) -> list[str]:
        return sorted({one.requirement for o in self.outcomes for one in o.judgement.findings if one.known})

    @property
    def verdicts(self) -> dict[str, str]:
        """The worst verdict of each requirement: what is broken in one case is not kept. What is known to be broken is broken."""
        found = dict.fromkeys(sorted(self.judged), str(Verdict.PASS))
        broken = (one for o in self.outcomes for one in o.judgement.findings if not one.strict_only)
        return found | {one.requirement: str(Verdict.FAIL) for one in broken}

    @property
    def judged(self) -> set[str]:
        return {name for o in self.outcomes for name, verdict in o.judgement.requirements.items() if verdict == "pass"}


def uri(at: Location) -> str:
    """The file of a place as a relative URI, or that of a file elsewhere."""
    return f"file://{quote(at.file)}" if at.file.startswith("/") else quote(at.file)
