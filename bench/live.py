"""Prints the live table of the README: `python bench/live.py`. Needs an engine: VLLM_BACKEND_URL, or vLLM where the suite finds it.

Our replay next to the same requests sent by a bare client to the same engine in the same run, at 1 and at 32 cases in flight. The bare
client sends what the replay sent, rollout by rollout: a request goes out when the one before it in its rollout is answered, for that is
the order of the thing. Every figure is a ratio within this run, but for the start, which is in seconds.
"""

import asyncio
import statistics
import time
from collections import defaultdict
from typing import Any

import aiohttp

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.live import engine
from rollout_conformance.steps.live.engine import EngineOptions
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.live.trainer import LiveTrainer
from rollout_conformance.steps.run_setup import Run, RunOptions, ready

ROUNDS = 3
WIDTHS = (1, 32)
NAMES = (
    "a sum is calculated with a tool",
    "the capital of France",
    "a product is calculated with a tool",
)
COPIES = 16


async def replay(engine_options: EngineOptions, jobs: int) -> tuple[float, list[list[dict[str, Any]]]]:
    """The time that the replay takes, and what it asked the engine, rollout by rollout."""
    async with ready(RunOptions(backend="live", engine_options=engine_options, jobs=jobs)) as run:
        asked = _tapped(run)
        cases = _cases(run)
        began = time.perf_counter()
        outcomes = await asyncio.gather(*(run.runner.play(case) for case in cases))
        took = time.perf_counter() - began
        assert all(outcome.judgement.verdict is Verdict.PASS for outcome in outcomes)
        return took, [asked[name] for name in asked]


def _cases(run: Run) -> list[Case]:
    return [
        case for case in run.applicable(case_catalog.every("rollout")) if case.live is not None and case.name in NAMES
    ] * COPIES


def _tapped(run: Run) -> dict[str, list[dict[str, Any]]]:
    """What the live trainer asks from now on, by rollout."""
    trainer = run.peers.trainer  # type: ignore[attr-defined]
    assert isinstance(trainer, LiveTrainer)
    asked: dict[str, list[dict[str, Any]]] = defaultdict(list)
    ask = trainer._body

    def tapped(rollout: Any, n: int, messages: list[Any]) -> dict[str, Any]:
        body = ask(rollout, n, messages)
        asked[rollout.nonce].append(body)
        return body

    trainer._body = tapped  # type: ignore[method-assign]
    return asked


async def bare(model: Engine, rollouts: list[list[dict[str, Any]]], jobs: int) -> float:
    gate = asyncio.Semaphore(jobs)
    url = f"{model.base_url}/v1/chat/completions"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def one(bodies: list[dict[str, Any]]) -> None:
            async with gate:
                for body in bodies:
                    whole = {**body, "model": model.model, "stream": False, "logprobs": True, "return_token_ids": True}
                    async with client.post(url, json=whole, headers=model.headers) as reply:
                        await reply.read()

        began = time.perf_counter()
        await asyncio.gather(*(one(bodies) for bodies in rollouts))
        return time.perf_counter() - began


async def main() -> None:
    began = time.perf_counter()
    async with engine.running(EngineOptions.from_environment()) as model:
        up = time.perf_counter() - began
        engine_options = EngineOptions(model.base_url, model.model, model.key)
        async with ready(RunOptions(backend="live", engine_options=engine_options)) as run:
            await run.runner.play(_cases(run)[0])
            first = time.perf_counter() - began
        print(
            f"vLLM {model.version}, model {model.model}: answers after {up:.1f} s, first judged case after {first:.1f} s\n"
        )
        print("| at once | generations | our replay | a bare client | ratio (median of 3) |")
        print("| --- | --- | --- | --- | --- |")
        for jobs in WIDTHS:
            rounds = []
            for _ in range(ROUNDS):
                ours, rollouts = await replay(engine_options, jobs)
                theirs = await bare(model, rollouts, jobs)
                rounds.append((ours / theirs, ours, theirs, sum(map(len, rollouts))))
            ratio, ours, theirs, count = statistics.median_low(rounds)
            print(f"| {jobs} | {count} | {ours:.2f} s | {theirs:.2f} s | {ratio:.2f} |")


if __name__ == "__main__":
    asyncio.run(main())
