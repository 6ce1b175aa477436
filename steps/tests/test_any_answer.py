"""Whatever a target answers, the suite judges it: members of any kind in any place never trip the judge itself.

Everything that is read from the wire passes one function, `trace.parse`. Here it gives, now and then, a value in which one member is
something else. A target like that has to fail; what must not happen is that the suite fails in its place.
"""

import asyncio
import random
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine import trace
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.engine.outcome import Outcome
from rollout_conformance.steps.engine.trace import NotJson
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.run_setup import RunOptions, ready

OFTEN = 0.15
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 1e300, 10**30, "", "x", "\ud800", "9" * 400),
    *([], [1], [None], ["x"], [[]], [{}], {}, {"a": 1}),
    *({"index": "x"}, [{"index": 10**12}], {"id": []}, [{"function": None}], [{"function": "x"}]),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from places(inner, (*path, key))


def mangled(value: Any, rng: random.Random) -> Any:
    """The value with one place changed, more often one near the top."""
    paths = sorted(places(value), key=len)
    path, odd = paths[int(len(paths) * rng.random() ** 2)], deepcopy(rng.choice(ODD))
    if not path:
        return odd
    whole = deepcopy(value)
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    if isinstance(holder, dict) and rng.random() < 0.2:
        del holder[path[-1]]
    else:
        holder[path[-1]] = odd
    return whole


@pytest.fixture
def mangling(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make every reader of the wire read odd things from now on."""
    real = trace.parse

    def begin(seed: int) -> None:
        rng = random.Random(seed)

        def parse(body: bytes) -> Any:
            value = real(body)
            return mangled(value, rng) if not isinstance(value, NotJson) and rng.random() < OFTEN else value

        for name, module in list(sys.modules.items()):
            if name.startswith("rollout_conformance.steps.") and getattr(module, "parse", None) is real:
                monkeypatch.setattr(module, "parse", parse)

    return begin


STANDSTILL = "the target has stopped answering"


async def played(profile: str, dialect: str, begin: Callable[[], None], most: int) -> list[Outcome]:
    """Cases of a profile against its reference, of which every reading is mangled once it stands."""
    card = cards.load(PROFILES[profile].reference.card, PROFILES[profile].card)
    hasty = card.model_copy(update={"patience_s": 1.0})
    async with ready(RunOptions(profile=profile, dialect=dialect, described=hasty)) as run:
        cases = [case for case in run.applicable(case_catalog.every(profile)) if not case.alone and not case.variant]
        begin()
        chosen = random.Random(1).sample(cases, min(most, len(cases)))
        return list(await asyncio.gather(*map(run.runner.play, chosen)))


@pytest.mark.parametrize(
    ("profile", "dialect"), [(name, one) for name in sorted(PROFILES) for one in PROFILES[name].dialects]
)
def test_the_suite_is_never_tripped(profile: str, dialect: str, mangling: Callable[[int], None]) -> None:
    outcomes = asyncio.run(played(profile, dialect, lambda: mangling(1), 160))
    errors = [outcome for outcome in outcomes if outcome.judgement.verdict is Verdict.ERROR]
    reasons = [f"{outcome.case.name}: {outcome.judgement.reason}" for outcome in errors]
    tripped = [reason for reason in reasons if STANDSTILL not in reason]  # what is mangled may be waited for in vain
    assert not tripped
    assert any(outcome.judgement.verdict is Verdict.FAIL for outcome in outcomes)
