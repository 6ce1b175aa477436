"""Greets every mutant of a package once, each in a process of its own, because what one patches would spoil the next.

`python -m rollout_conformance.rollout_server.tests.mutants.greet_mutants PACKAGE` prints a line for each that does not serve a
plain greeting without an unexpected error: its name, a tab, why.
"""

import asyncio
import importlib
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from rollout_conformance.rollout_server.rollout import leased_dialect
from rollout_conformance.rollout_server.tests import crashes
from rollout_conformance.rollout_server.tests.inference import support as engine
from rollout_conformance.rollout_server.tests.mutants.each_in_a_process import each
from rollout_conformance.rollout_server.tests.rollout import support
from rollout_conformance.rollout_server.tests.rollout.test_routed_dialect import START
from rollout_conformance.rollout_server.tests.router import support as router
from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.trainer import support as trainer

LEASED_START = {name: value for name, value in START.items() if name not in leased_dialect.NOT_LEASED}
PATHS = {"sync": "/rollout", "callback": "/v1/rollout/init", "routed": "/rollout", "leased": "/rollout"}
Greet = Callable[[str], Awaitable[None]]
WITHIN_S = 60.0  # far more than a busy machine needs
AT_ONCE = 4  # a greeting waits for sockets more than it computes


def start_of(dialect: str) -> dict[str, Any]:
    """The body of a start request."""
    bodies = {"sync": support.sync_start(), "callback": support.init(), "routed": START, "leased": LEASED_START}
    return {**bodies[dialect]}


async def _rollout(dialect: str) -> None:
    """One generation, without tools, is asked for."""
    played = support.Trainer()
    caller = support.serve(played)
    response = await caller.post(PATHS[dialect], start_of(dialect))
    assert response.status_code < 300, response.text
    while not played.asked:
        await asyncio.sleep(0.005)


async def _trainer(dialect: str) -> None:
    """A rollout is started at a server, and its first generation call answered."""
    bench = trainer.bench(dialect)
    await bench.open()
    response = await bench.ask([trainer.USER])
    assert response.status_code == 200, response.text


async def _engine(dialect: str) -> None:
    async with engine.client() as caller:
        response = await caller.post(engine.PATH, json=engine.body(engine.CAPITAL))
        assert response.status_code == 200, response.text


async def _router(dialect: str) -> None:
    async with router.backends(Fake("a"), Fake("b")) as running, router.routed(running) as caller:
        response = await caller.ask()
        assert response.status_code == 200, response.text
        assert sum(fake.calls for fake in running) > 0, "no backend was asked"


GREETINGS: dict[str, Greet] = {
    "rollout_conformance.rollout_server.mutants.rollout": _rollout,
    "rollout_conformance.rollout_server.mutants.trainer": _trainer,
    "rollout_conformance.rollout_server.mutants.inference": _engine,
    "rollout_conformance.rollout_server.mutants.router": _router,
}


def main(package: str) -> None:
    catalogue, greet = importlib.import_module(package).CATALOGUE, GREETINGS[package]
    for dialect in catalogue.dialects:
        _run(greet, dialect)  # the reference itself; and what is loaded once is loaded before the first fork
    each(catalogue, lambda name, dialects: _lines(name, dialects, greet), AT_ONCE)


def _lines(name: str, dialects: tuple[str, ...], greet: Greet) -> list[str]:
    lines = []
    for dialect in dialects:
        try:
            with crashes.recorded() as crashed:
                _run(greet, dialect)
            assert not crashed, crashed
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1].name
            why = " ".join(f"[{dialect}] {type(error).__name__} in {at}: {error}".split())
            lines.append(f"{name}\t{why[:300]}\n")
    return lines


def _run(greet: Greet, dialect: str) -> None:
    async def whole() -> None:
        async with asyncio.timeout(WITHIN_S):
            await greet(dialect)
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    asyncio.run(whole())


if __name__ == "__main__":
    main(sys.argv[1])
