"""A part of the cases of a run, so that several machines can share them: `--shard 2/8`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError

WRITTEN = re.compile(r"(\d{1,6})/(\d{1,6})")


@dataclass(frozen=True, slots=True)
class Shard:
    """The part `number`, from 1, of `count` parts."""

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """Raises `SuiteError` for what is not `I/N` with I from 1 to N."""
        found = WRITTEN.fullmatch(text)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count:
            raise SuiteError(f"--shard {text}: write I/N with I from 1 to N: --shard 1/4 plays the first of four parts")
        return cls(number, count)

    def of(self, cases: Sequence[Case]) -> list[Case]:
        """Every `count`-th case, so that the parts have cases of every file. The parts have no case in common, and together all."""
        return list(cases[self.number - 1 :: self.count])
