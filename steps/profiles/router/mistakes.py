"""What can be seen to be wrong with a case about a router before it is played."""

from collections.abc import Iterator, Sequence

from rollout_conformance.steps.engine.cases import Action, Step
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.profiles.router import actions as do
from rollout_conformance.steps.profiles.router import references
from rollout_conformance.steps.profiles.router.affinity import Engines
from rollout_conformance.steps.profiles.router.concurrency import LetGo, Refill

Mistake = tuple[Location | None, str]
PREPARING = (do.Play, do.Pause, Engines)


def mistakes(steps: Sequence[Step]) -> Iterator[Mistake]:
    if all(isinstance(step.what, PREPARING) or not isinstance(step.what, Action) for step in steps):
        yield None, 'nothing is asked of the router. Write a When, as `When the router is asked "Hello!"`'
        return
    yield from references.mistakes(steps)
    holding = [step for step in steps if isinstance(step.what, do.Play) and any(line.hold for line in step.what.lines)]
    freeing = [step for step in steps if isinstance(step.what, LetGo)]
    if holding and not freeing and not any(isinstance(step.what, Refill) for step in steps):
        told = "the engines hold what they are asked, and nothing lets it go: write `When the engines answer what they hold` (`let_go`)"
        yield holding[0].at, told
    if freeing and not holding:
        yield freeing[0].at, "the engines hold nothing that they could answer now"
