"""Plays many kinds of rollouts against every mutant of a package, each in a process of its own, and looks for unexpected errors: a
mutant that has one is itself broken, unless that is its defect.

`python -m rollout_conformance.rollout_server.tests.mutants.find_crashes PACKAGE` prints a line for each that has one: its name, a tab,
where.
"""

import asyncio
import contextlib
import importlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx

from rollout_conformance.rollout_server.tests import crashes
from rollout_conformance.rollout_server.tests.mutants.each_in_a_process import each
from rollout_conformance.rollout_server.tests.mutants.greet_mutants import PATHS, start_of
from rollout_conformance.rollout_server.tests.rollout import support
from rollout_conformance.rollout_server.tests.rollout.support import call, reply
from rollout_conformance.rollout_server.tests.trainer import support as trainer

WITHIN_S = 2.0  # of one rollout: some mutants never end theirs
AT_ONCE = 2
CUT = {
    **reply("The res"),
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "length"}],
}
CHATS: tuple[list[support.Effect], ...] = (
    [reply(None, call()), reply("The result is 8.")],
    [reply("Both.", call(), call("nope", "{", "call_2")), reply(None, call(id="")), reply()],
    [reply(None, reasoning_content="Hm"), reply()],
    [CUT],
    [httpx.Response(503, headers={"retry-after": "0"}), reply()],
    [httpx.Response(400, json={"error": {}})],
    [httpx.Response(200, content=b"<html>")],
    [httpx.ReadError("broken")],
)
STARTS: tuple[dict[str, Any], ...] = (
    {"metadata": {"max_turns": 1}, "label": "8", "unknown": 1},
    {"max_turns": 1, "max_tokens_total": 5},
    {"messages": [], "initial_messages": []},
    {"rollout_id": 7},
)

ODD: tuple[dict[str, Any], ...] = (
    {"max_tokens": 1},
    {"messages": []},
    {"rollout_id": "unknown"},
    {"temperature": "hot"},
    {"stream": True},
)


async def _rollouts(dialect: str) -> None:
    """Rollouts of all kinds, one after the other; then requests about them."""
    plain: dict[str, Any] = {}
    kinds = [(chats, plain) for chats in CHATS] + [(CHATS[0], change) for change in STARTS]
    for number, (chats, change) in enumerate(kinds):
        with contextlib.suppress(Exception):
            async with asyncio.timeout(WITHIN_S):
                await _rollout(dialect, [*chats], {**start_of(dialect), "rollout_id": f"r-{number}", **change})


async def _rollout(dialect: str, chats: list[support.Effect], body: dict[str, Any]) -> None:
    caller = support.serve(support.Trainer(chats))
    first = await caller.post(PATHS[dialect], body)
    await caller.post(PATHS[dialect], body)
    await caller.post("/rollout/cancel", {"ids": [body["rollout_id"]]})
    lease = first.json().get("polling_lease_token", "") if dialect == "leased" else ""
    for path in ("health", "tools", f"rollout/{body['rollout_id']}/status", f"rollout/{body['rollout_id']}/result"):
        await caller.get(f"/{path}", headers=[(b"x-rollout-polling-lease", lease.encode())])
    service = caller.app.state.service
    while service.tasks():
        await asyncio.sleep(0.002)


async def _trainers(dialect: str) -> None:
    """A whole rollout, with a repeated and some rejected requests; and its record."""
    bench = trainer.bench(dialect)
    await bench.open()
    messages, mask = await bench.called()
    await bench.ask(messages, mask)
    await bench.ask(messages, mask)
    for change in ODD:
        with contextlib.suppress(Exception):
            await bench.ask(messages, mask, **change)
    await bench.finish(final_messages=messages)
    await bench.finish(final_messages=messages)
    await bench.record()


PROBES: dict[str, Callable[[str], Awaitable[None]]] = {
    "rollout_conformance.rollout_server.mutants.rollout": _rollouts,
    "rollout_conformance.rollout_server.mutants.trainer": _trainers,
}


def main(package: str, names: list[str]) -> None:
    catalogue, probe = importlib.import_module(package).CATALOGUE, PROBES[package]
    each(catalogue, lambda name, dialects: _lines(name, dialects, probe), AT_ONCE, names)


def _lines(name: str, dialects: tuple[str, ...], probe: Callable[[str], Awaitable[None]]) -> Iterator[str]:
    found = set()
    for dialect in dialects:
        with crashes.recorded() as crashed, contextlib.suppress(Exception):
            asyncio.run(asyncio.wait_for(probe(dialect), 60.0))
        found |= {*crashed}
    if found:
        yield f"{name}\t{'; '.join(sorted(found))}\n"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
