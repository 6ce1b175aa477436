"""Prints how the throughput of `run --on ray` grows with the workers of a cluster: `python bench/cluster.py [--workers 1,2,4] [--latency 1.0]`.

The engine is simulated: the reference inference server, which waits so many seconds before each response, as if for a GPU with room for
all. Each worker has one case in flight; some cases send several requests at once. The throughput is that which the engine saw between
its first and its last request: the start of the workers, which is shown beside it, is paid once in a run.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from rollout_conformance.steps.ray_cluster.cluster import connected

CASES = ("*temperature*", "*stop*")
SUITE = "from rollout_conformance.steps.entry import main; main()"


class Delayed:
    """The engine, and what it saw at `/seen`."""

    def __init__(self, app: ASGIApp, latency_s: float) -> None:
        self.app, self.latency_s = app, latency_s
        self.began: list[float] = []
        self.ended = 0.0
        self.running = self.most = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/seen":
            await _json(
                send, {"count": len(self.began), "s": self.ended - min(self.began, default=0), "most": self.most}
            )
        elif scope["type"] == "http" and scope["method"] == "POST":
            await self._delayed(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _delayed(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.began.append(time.monotonic())
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.latency_s)
        await self.app(scope, receive, send)
        self.running -= 1
        self.ended = time.monotonic()


async def _json(send: Send, value: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


def serve(port: int, latency_s: float) -> None:
    from rollout_conformance.rollout_server.inference.app import create_app

    uvicorn.run(Delayed(create_app(), latency_s), port=port, log_level="error")  # type: ignore[arg-type]


@contextlib.contextmanager
def engine(latency_s: float) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, "--serve", str(port), "--latency", str(latency_s)])  # noqa: S603
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(OSError):
                seen(url)
                break
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


def seen(url: str) -> Any:
    with urllib.request.urlopen(f"{url}/seen", timeout=60) as response:  # noqa: S310
        return json.load(response)


def judged(url: str, on: str, workers: int, card: str) -> tuple[float, int]:
    """The seconds of a run, and its exit code."""
    words = ["run", "--profile", "chat", "--card", card, "--target", url, "--on", on, "-j", str(workers)]
    words += [word for case in CASES for word in ("--case", case)]
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", SUITE, *words], capture_output=True, text=True, check=False)  # noqa: S603
    return time.monotonic() - began, done.returncode


def measured(workers: int, latency_s: float, card: str) -> tuple[Any, float, int]:
    with engine(latency_s) as url, connected(None, workers) as cluster:
        took, code = judged(url, f"ray:{cluster.ray.get_runtime_context().gcs_address}", workers, card)
        return seen(url), took, code


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", default="1,2,4,8")
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--card", default="scenarios/cards/engine.yaml")
    parser.add_argument("--serve", type=int)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.latency)
        return
    print(
        "| workers | requests | a second | each worker | most at once | before the first and after the last | exit code |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for workers in map(int, given.workers.split(",")):
        engine_saw, took, code = measured(workers, given.latency, given.card)
        rate = engine_saw["count"] / engine_saw["s"]
        print(
            f"| {workers} | {engine_saw['count']} | {rate:.2f} | {rate / workers:.2f} | "
            f"{engine_saw['most']} | {took - engine_saw['s']:.0f} s | {code} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
