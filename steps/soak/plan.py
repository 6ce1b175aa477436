"""How long a soak lasts, how many cases it begins a second, and which ones."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rollout_conformance.steps.case_selection import wants_target_alone
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.runner import SLOW
from rollout_conformance.steps.run_setup import Run

WRITTEN = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>s|m|h)?")
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST_S = 48 * 3600.0


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """`seconds` is how long cases are begun; `rate` how many a second, None for as many as may be in flight. `seed` is that of their order."""

    seconds: float
    rate: float | None = None
    seed: int = 0

    def order(self, cases: Sequence[Case]) -> Iterator[Case]:
        """Endless: all cases in an order of chance, then all in another one, so that no case is played more often than another."""
        chance = random.Random(self.seed)
        while cases:
            yield from chance.sample(cases, len(cases))


def seconds_of(text: str) -> float:
    """The seconds that `90`, `90s`, `10m` or `2h` stand for. Raises `SuiteError` for anything else."""
    found = WRITTEN.fullmatch(text.strip())
    seconds = float(found["number"]) * SECONDS[found["unit"] or "s"] if found else 0.0
    if not 0 < seconds <= LONGEST_S:
        raise SuiteError(f"--soak {text}: write how long, up to 48h: 90s, 10m or 2h")
    return seconds


def repeatable(run: Run, cases: Sequence[Case]) -> list[Case]:
    """The cases that can be played beside others as often as one wants.

    Not those that want an instance or a configuration of their own, that leave the target otherwise than they found it, that measure and
    run alone, that wait for seconds, or that lack something.
    """
    return [
        case
        for case in cases
        if not case.variant
        and SLOW not in case.tags
        and not wants_target_alone(case, run.profile)
        and run.runner.lacks(case) is None
    ]
