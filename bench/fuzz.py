"""Prints the second speed table of the README: `python bench/fuzz.py`. Every figure is a ratio within this one run.

1. Generated requests: ours with the trainer in the loop, where every valid start runs a rollout that is judged, next to plain
   schemathesis with the same contract and settings against the same server, over a socket and in process.
2. Exploration: steps of walks a second.
"""

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events

from rollout_conformance.steps.engine.loop_thread import LoopThread
from rollout_conformance.steps.exploration.explore import explore
from rollout_conformance.steps.fuzzing import contract as contracts
from rollout_conformance.steps.fuzzing import hooks
from rollout_conformance.steps.fuzzing.fuzz import Plan, fuzz
from rollout_conformance.steps.fuzzing.request_observer import Watch
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.run_setup import RunOptions

DIALECTS = ("sync", "callback", "routed")
EXAMPLES, WALKS = 50, 60


def plain(contract: contracts.Contract, base_url: str | None, key: str | None) -> tuple[int, float]:
    """Requests and seconds of schemathesis alone; without a base URL the application is called in this process."""
    hooks.use(None)
    config = SchemathesisConfig.from_dict({"generation": {"max-examples": EXAMPLES, "deterministic": True}, "seed": 1})
    headers = {"Authorization": f"Bearer {key}"} if key else None
    config.projects.override.update(base_url=base_url, headers=headers, continue_on_failure=True)
    schema: Any = schemathesis.openapi.from_dict(dict(contract.spec), config=config)
    if base_url is None:
        from rollout_conformance.rollout_server.app import create_app

        schema.app = create_app()
    began, count = time.perf_counter(), 0
    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            count += len(event.recorder.cases)
    return count, time.perf_counter() - began


def generated(dialect: str) -> str:
    file = ROOT / "contracts" / "rollout" / f"openapi.{dialect}.yaml"
    contract = contracts.load(file, file.name)
    with LoopThread() as loop_thread:
        watch = Watch.over(RunOptions(dialect=dialect), dialect, contract.shown, loop_thread)
        began = time.perf_counter()
        ours = sum(tally.cases for tally in fuzz(contract, watch, Plan(EXAMPLES)).values())
        took = time.perf_counter() - began
        alone, socket_s = plain(contract, watch.target.base_url, watch.key)
    inside, process_s = plain(contract, None, None)
    rates = ours / took, alone / socket_s, inside / process_s
    return (
        f"| {dialect}: generated requests | {rates[0]:.0f} a second with rollouts and judgement; plain schemathesis "
        f"{rates[1]:.0f} over a socket, {rates[2]:.0f} in process ({rates[1] / rates[0]:.1f} x and {rates[2] / rates[0]:.1f} x ours) |"
    )


def walked(dialect: str) -> str:
    explored = explore(RunOptions(), dialect, WALKS)
    assert explored.outcome is None
    return f"| {dialect}: exploration | {explored.moves / explored.seconds:.0f} steps a second, {explored.walks} walks in {explored.seconds:.1f} s |"


def rows() -> Iterator[str]:
    for dialect in DIALECTS:
        yield generated(dialect)
        yield walked(dialect)


if __name__ == "__main__":
    os.environ.setdefault("ROLLOUT_LOG_LEVEL", "off")
    sys.stdout.write("| what | measured |\n| --- | --- |\n")
    for row in rows():
        sys.stdout.write(row + "\n")
        sys.stdout.flush()
