"""Short forms for the mutants of the router."""

from collections.abc import Awaitable, Callable
from typing import Any

from rollout_server import json_text
from rollout_server.chat.relay import Opened
from rollout_server.mutants.mutant import Mutant

DIALECTS = ("openai",)


def mutant(
    name: str, what: str, patch: Callable[[], None], requirement: str, companions: tuple[str, ...] = ()
) -> Mutant:
    """`requirement` is a number of the dossier of seed systems, RTR-xx of its part A or DYN-xx of its part D."""
    profile, _, number = requirement.partition("-")
    return Mutant(name, number, what, patch, DIALECTS, companions, profile=profile)


def answering(change: Callable[[dict[str, Any]], Any]) -> Callable[[], None]:
    """Answers in one piece come with another body."""

    def patch() -> None:
        from rollout_server.chat import relay

        original: Callable[..., Awaitable[Opened]] = relay.open_one

        async def changed(*arguments: Any) -> Opened:
            opened = await original(*arguments)
            if opened.chunks is None and opened.reply.status < 300:
                opened.body = json_text.dumps(change(json_text.loads(opened.body)))
            return opened

        relay.open_one = changed  # type: ignore[assignment]

    return patch
