"""What the cases of a run share when they judge a router."""

import itertools
from dataclasses import dataclass, field

from rollout_conformance.steps.engine.lateness import Lateness
from rollout_conformance.steps.engine.session import Session
from rollout_conformance.steps.peers.scripted_backends import Backends, BackendScript
from rollout_conformance.steps.profiles.chat.view import CaseContext, ChatState


@dataclass(slots=True)
class RouterContext(CaseContext):
    """`ports` are those of the backends: no response may show them. `addresses` are those of the backends behind a router in its default
    variant. `health` is the path of the health check of the router."""

    backends: Backends = field(default_factory=Backends)
    ports: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    run: str = "00000000"
    health: str = "/health"
    lateness: Lateness = field(default_factory=Lateness)
    counter: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def nonce(self) -> str:
        return f"rc-{self.run}-{next(self.counter)}x"


class RouterState(ChatState, total=False):
    """What the verbs keep while a case is played: the script of the backends and all that it had, how many requests none of them had a script
    for before it, the backend that is degraded, and whether the router read a stream ahead of its client."""

    script: BackendScript
    scripts: list[BackendScript]
    unmatched_before: int
    degraded: str | None
    read_ahead: bool


RouterSession = Session[RouterState, RouterContext]
