"""Known failures, each with its reason. An entry that matches nothing, or whose case passes now, is itself a failure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, RootModel

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.findings import Finding, Verdict
from rollout_conformance.steps.engine.outcome import Outcome


class Entry(BaseModel):
    """One known failure: a case (name or id, `*` allowed) and the requirement that it breaks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    case: str = "*"
    requirement: str
    reason: str = Field(min_length=1)


class _Entries(RootModel[list[Entry]]):
    pass


class Baseline:
    """Known failures, and which of them were met."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = list(entries)
        self.met: set[Entry] = set()

    def excuses(self, outcome: Outcome) -> str | None:
        """The reasons why this failure is known, None when any part of it is not."""
        if outcome.judgement.verdict is not Verdict.FAIL:
            return None
        found = [self._entry(outcome, finding) for finding in outcome.judgement.findings]
        self.met.update(entry for entry in found if entry is not None)
        if any(entry is None for entry in found):
            return None
        return "; ".join(dict.fromkeys(entry.reason for entry in found if entry is not None))

    def _entry(self, outcome: Outcome, finding: Finding) -> Entry | None:
        names = (outcome.case.name, outcome.case.id)
        for entry in self.entries:
            if entry.requirement == finding.requirement and any(fnmatchcase(name, entry.case) for name in names):
                return entry
        return None

    def stale(self) -> list[str]:
        """What to remove from the file: entries that no failure needed."""
        return [
            f"{entry.requirement} in {entry.case!r} is listed as known ({entry.reason}) but did not fail; remove the entry"
            for entry in self.entries
            if entry not in self.met
        ]


def load(file: Path | None) -> Baseline:
    if file is None:
        return Baseline()
    return Baseline(yaml_source.validated(_Entries, yaml_source.read(file)).root)
