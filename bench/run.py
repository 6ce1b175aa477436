"""Prints the speed table of the README: `python bench/run.py`. Every figure is a ratio within this one run.

1. The suite: all cases against the reference over real sockets, next to the same number of HTTP round trips, in both directions,
   done by a bare asyncio loop that judges nothing.
2. The reference server: rollouts of two turns with a generation of one second, at several numbers at once; the ideal is two
   seconds.
"""

import asyncio
import os
import resource
import sys
import time
from pathlib import Path

import aiohttp
import uvicorn

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine import targets
from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.peers.rule_based_trainer import RuleBasedTrainer
from rollout_conformance.steps.peers.tokens import load
from rollout_conformance.steps.run_setup import RunOptions, ready

REFERENCE = "app:rollout_server.app:create_app"
GENERATION_S = 1.0
TURNS = 2


async def suite() -> list[str]:
    async with ready(RunOptions()) as run:
        cases = run.ordered(run.applicable(case_catalog.every("rollout")))
        began, cpu = time.perf_counter(), time.process_time()
        outcomes = await asyncio.gather(*(run.runner.play(case) for case in cases))
        took, busy = time.perf_counter() - began, time.process_time() - cpu
        assert all(outcome.judgement.verdict is Verdict.PASS for outcome in outcomes)
        traces = [outcome.trace for outcome in outcomes if outcome.trace is not None]
        to_target = sum(e.to_target for trace in traces for e in trace.exchanges)
        to_trainer = sum(not e.to_target for trace in traces for e in trace.exchanges)
    bare = await round_trips(to_target, to_trainer)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        f"| cases, over sockets | {len(cases)} in {took:.1f} s: {len(cases) / took:.0f} a second |",
        f"| the suite's own CPU | {busy / took:.0%} of one core, the rest is the target and waiting |",
        f"| next to {to_target} + {to_trainer} bare round trips | {took / bare:.1f} x their time |",
        f"| memory of the suite | {memory:.0f} MB at most |",
    ]


async def round_trips(to_target: int, to_trainer: int) -> float:
    """The same numbers of requests to a server in another process and to one in this, 32 at once, judging nothing."""
    trainer = RuleBasedTrainer(load(TOKENIZER))
    body = {"rollout_id": "x", "messages": [{"role": "user", "content": "5 plus 3"}]}
    async with (
        asgi_binding.serve(trainer) as url,
        targets.running(REFERENCE) as target,
        aiohttp.ClientSession() as client,
    ):
        gate = asyncio.Semaphore(32)

        async def one(method: str, address: str, **more: object) -> None:
            async with gate, client.request(method, address, **more) as reply:
                await reply.read()

        began = time.perf_counter()
        asked = [one("GET", f"{target.base_url}/health") for _ in range(to_target)]
        answered = [one("POST", f"{url}/v1/chat/completions", json=body) for _ in range(to_trainer)]
        await asyncio.gather(*asked, *answered)
        return time.perf_counter() - began


class SlowTrainer:
    """Answers every generation after a second: a call first, then the end. As little as a trainer can be."""

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        last = b'"role":"tool"' in body.replace(b" ", b"")
        if scope["path"].endswith("completions"):
            await asyncio.sleep(GENERATION_S)
        say = (
            b'"content":"Done."'
            if last
            else b'"content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"add","arguments":"{\\"a\\": 5, \\"b\\": 3}"}}]'
        )
        reply = (
            b'{"id":"x","created":1,"choices":[{"index":0,"message":{"role":"assistant",'
            + say
            + b'},"finish_reason":"stop"}]}'
        )
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(reply)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": reply})
        if scope["path"].endswith("completed"):
            SlowTrainer.done += 1
            if SlowTrainer.done == SlowTrainer.wanted:
                SlowTrainer.all_done.set()

    done = wanted = 0
    all_done: asyncio.Event


async def reference() -> list[str]:
    port = targets.free_port()
    config = uvicorn.Config(SlowTrainer(), port=port, log_config=None, access_log=False, lifespan="off", backlog=4096)
    server = asgi_binding._Quiet(config)
    task = asyncio.ensure_future(server.serve())
    lines = []
    async with targets.running(REFERENCE, {"ROLLOUT_LOG_LEVEL": "off"}) as target:
        for count in (1, 64, 1024, 1024):
            took = await wave(target.base_url, f"http://127.0.0.1:{port}", count)
            lines.append(
                f"| {count} rollouts of {TURNS} turns at once | {took:.2f} s: {took / (TURNS * GENERATION_S):.2f} x the ideal |"
            )
        assert target.process is not None
        rss = peak_memory(target.process.pid)
        lines.append(f"| memory of the reference | {rss:.0f} MB at most |")
    server.should_exit = server.force_exit = True
    await task
    return lines


def peak_memory(pid: int) -> float:
    """Megabytes that a process had at most."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


async def wave(base_url: str, trainer: str, count: int) -> float:
    SlowTrainer.done, SlowTrainer.wanted, SlowTrainer.all_done = 0, count, asyncio.Event()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def start(n: int) -> None:
            body = {
                "rollout_id": f"{os.urandom(6).hex()}-{n}",
                "server_url": trainer,
                "messages": [{"role": "user", "content": "5 plus 3"}],
                "completion_params": {},
            }
            async with client.post(f"{base_url}/v1/rollout/init", json=body) as reply:
                assert reply.status == 202

        began = time.perf_counter()
        await asyncio.gather(*(start(n) for n in range(count)))
        await asyncio.wait_for(SlowTrainer.all_done.wait(), 120)
        return time.perf_counter() - began


async def main() -> None:
    sys.stdout.write("| what | measured |\n| --- | --- |\n")
    for part in (suite, reference):
        for line in await part():
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
