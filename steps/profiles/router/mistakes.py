"""What can be seen to be wrong with a case about a router before it is played."""

from collections.abc import Iterator, Sequence

from rollout_conformance.steps.engine.cases import Step, is_action
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.http.requests import Pause
from rollout_conformance.steps.profiles.chat import mistakes as chat
from rollout_conformance.steps.profiles.router.backends import BackendsDown, ReleaseBackends, ScriptBackends
from rollout_conformance.steps.profiles.router.concurrency import RetryUntilAdmitted

Mistake = tuple[Location | None, str]
PREPARING = (ScriptBackends, Pause, BackendsDown)


def mistakes(steps: Sequence[Step]) -> Iterator[Mistake]:
    if all(isinstance(step.what, PREPARING) or not is_action(step.what) for step in steps):
        yield None, 'no request is sent to the router. Write a When, as `When the client sends "Hello!"`'
        return
    yield from chat.mistakes(steps)
    holding = [
        step
        for step in steps
        if isinstance(step.what, ScriptBackends) and any(response.hold for response in step.what.responses)
    ]
    releasing = [step for step in steps if isinstance(step.what, ReleaseBackends)]
    if holding and not releasing and not any(isinstance(step.what, RetryUntilAdmitted) for step in steps):
        wrong = "the backends hold their responses, and no step releases them: write `When the backends send the responses that they hold`"
        yield holding[0].at, f"{wrong} (`release_backends`)"
    if releasing and not holding:
        yield releasing[0].at, "the backends hold no responses that could be released; `hold: true` makes them hold one"
