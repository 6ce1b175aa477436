"""Short forms for the mutants of the router."""

from collections.abc import Awaitable, Callable
from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.mutants.framework import Mutant
from rollout_conformance.rollout_server.router.failover import Opened

DIALECTS = ("openai",)
TESTS = "tests"


def mutant(
    name: str,
    what: str,
    patch: Callable[[], None],
    requirement: str,
    companions: tuple[str, ...] = (),
    by: str = "cases",
) -> Mutant:
    """`requirement` is a number of contracts/router/requirements.yaml; empty for what a black box with two engines cannot see, or is not
    asked to, and the tests of the router alone find."""
    return Mutant(name, requirement or "000", what, patch, DIALECTS, companions, by if requirement else TESTS, "ROUTER")


def answering(change: Callable[[dict[str, Any]], Any]) -> Callable[[], None]:
    """Answers in one piece come with another body."""

    def patch() -> None:
        from rollout_conformance.rollout_server.router import failover

        original: Callable[..., Awaitable[Opened]] = failover.open_one

        async def changed(*arguments: Any) -> Opened:
            opened = await original(*arguments)
            if opened.chunks is None and opened.reply.status < 300:
                opened.body = json_text.dumps(change(json_text.loads(opened.body)))
            return opened

        failover.open_one = changed  # type: ignore[assignment]

    return patch
