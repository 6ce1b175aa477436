"""The SDK `tinker` from PyPI, the last of JSON and one of protobuf, drives the reference through a whole loop, each in an environment of its own.

The environment is made once and kept in pytest's cache folder. SDK_TORCH names a folder with torch; without it the custom loss is not tried.
"""

import asyncio
import importlib.util
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rollout_conformance.rollout_server.tests.training.support import ALICE, BASE, differ, near, serving

VERSIONS = {"0.18": "tinker~=0.18.2", "0.38": "tinker~=0.38.0"}
INSTALL_S, LOOP_S = 600, 120
LOOP = Path(__file__).with_name("sdk_loop.py")


def environment(folder: Path, version: str) -> Path:
    """The Python of an environment with the SDK. Skips the test where pip cannot install it.

    Where pip is at hand it installs from outside: to put another pip into each environment takes a quarter of the whole.
    """
    python, complete = folder / "venv/bin/python", folder / "complete"
    if complete.exists():
        return python
    has_pip = importlib.util.find_spec("pip") is not None
    more = ["--without-pip"] if has_pip else []
    subprocess.run(  # noqa: S603
        [sys.executable, "-m", "venv", "--clear", *more, str(folder / "venv")], check=True, timeout=INSTALL_S
    )
    pip = [sys.executable, "-m", "pip", "--python", str(python)] if has_pip else [str(python), "-m", "pip"]
    command = [*pip, "install", "--quiet", "--no-compile", "--disable-pip-version-check", version]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S)  # noqa: S603
    except subprocess.TimeoutExpired:
        pytest.skip(f"pip did not install {version} within {INSTALL_S} s")
    if made.returncode != 0:
        pytest.skip(f"pip cannot install {version}: {made.stderr.strip().splitlines()[-1:]}")
    complete.touch()
    return python


async def drive(python: Path) -> Mapping[str, Any]:
    async with serving(order_wait_s=2) as url:
        variables = {**os.environ, "TINKER_TELEMETRY": "0", "HF_HUB_OFFLINE": "1"}
        process = await asyncio.create_subprocess_exec(
            python, LOOP, url, ALICE, env=variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), LOOP_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, err.decode()[-3000:]
    found: Mapping[str, Any] = json.loads(out.splitlines()[-1])
    return found


def _folder(request: pytest.FixtureRequest, factory: pytest.TempPathFactory, version: str) -> Path:
    """Of an environment that the next run finds again, where pytest has its cache."""
    cache = getattr(request.config, "cache", None)
    return Path(cache.mkdir(f"tinker-sdk-{version}")) if cache is not None else factory.mktemp("sdk")


@pytest.fixture(scope="module")
def pythons(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Path]]]:
    """Those of the versions that are to be tested. They are made at the same time: pip uses one core."""
    items: list[Any] = [item for item in request.session.items if item.path == request.path]
    chosen = {one.callspec.params["report"] for one in items if hasattr(one, "callspec")}
    with ThreadPoolExecutor() as pool:
        yield {
            name: pool.submit(environment, _folder(request, tmp_path_factory, name), VERSIONS[name]) for name in chosen
        }


@pytest.fixture(scope="module", params=VERSIONS)
def report(request: pytest.FixtureRequest, pythons: Mapping[str, Future[Path]]) -> Mapping[str, Any]:
    found = asyncio.run(drive(pythons[request.param].result()))
    assert found["version"].startswith(f"{request.param}.")
    return found


W: list[list[float]] = [[1, 1, 0.5], [1, 2]]
A: list[list[float]] = [[1, -1, 0.5], [2, 1]]

pytestmark = pytest.mark.slow


def weighted(logprobs: list[list[float]]) -> float:
    return -math.fsum(w * lp for rows in zip(W, logprobs, strict=True) for w, lp in zip(*rows, strict=True))


def flat(rows: Any) -> list[float]:
    return [value for row in rows for value in row]


def test_models_are_found(report: Mapping[str, Any]) -> None:
    assert BASE in report["models"]
    assert report["info"] == BASE


def test_a_first_step(report: Mapping[str, Any]) -> None:
    first = report["first"]
    assert near(flat(first["logprobs"]), flat(report["fresh"]))
    assert near(first["metrics"]["loss:sum"], weighted(report["fresh"]), 1e-4)
    assert first["step"]["step:max"] == 1
    assert differ(flat(report["trained"]), flat(report["fresh"]))


def test_chunks_are_one_batch(report: Mapping[str, Any]) -> None:
    chunked = report["chunked"]
    assert chunked["count"] == 1030
    assert near(chunked["metrics"]["loss:sum"], -chunked["sum"], 1e-2)
    assert chunked["metrics"]["tokens:sum"] == 2060


def test_policy_losses(report: Mapping[str, Any]) -> None:
    """On policy every ratio is 1."""
    losses, lp = report["losses"], flat(report["before_losses"])
    assert near(losses["importance_sampling"]["loss:sum"], -3.5, 1e-4)
    assert near(losses["ppo"]["loss:sum"], -3.5, 1e-4)
    expected = -float(np.dot(lp, flat(A)))
    assert near(losses["cispo"]["loss:sum"], expected, 1e-3)
    assert near(losses["dro"]["loss:sum"], expected, 1e-3)


def test_a_custom_loss(report: Mapping[str, Any]) -> None:
    if report["custom"] is None:
        pytest.skip("the SDK computes custom losses with torch, which is not installed; see SDK_TORCH")
    custom = report["custom"]
    assert near(custom["metrics"]["square:mean"], np.mean(np.square(flat(custom["before"]))), 1e-4)
    assert near(flat(custom["after"]), flat(custom["by_hand"]))
    assert differ(flat(custom["after"]), flat(custom["before"]))


def test_saved_and_loaded(report: Mapping[str, Any]) -> None:
    assert report["path"].startswith("tinker://")
    assert report["path"] in report["checkpoints"]
    assert near(flat(report["loaded"]), flat(report["state"]), 1e-7)
    assert near(flat(report["resumed"]), flat(report["continued"]), 1e-6)
    assert differ(flat(report["without_moments"]), flat(report["continued"]), 1e-4)
    assert len(report["runs"]) == 3 + (report["custom"] is not None)


def test_samples_have_the_logprobs_of_training(report: Mapping[str, Any]) -> None:
    for (tokens, logprobs, reason), forward in zip(report["samples"], report["forward_of_samples"], strict=True):
        assert len(tokens) == len(logprobs) == 4
        assert reason == "length"
        assert near(forward[-4:], logprobs)
    assert report["samples_again"] == report["samples"] == report["named_sampler"]
    assert report["base_sampler"] != report["samples"]
    first, *rest = report["prompt_logprobs"]
    assert first is None or math.isnan(first)
    assert near(rest, report["forward_of_samples"][0][:2])


def test_a_mistake_ends_one_call_only(report: Mapping[str, Any]) -> None:
    assert report["refused"] is not None
    assert "vocabulary" in report["refused"][1]
    assert len(flat(report["after_refusal"])) == 5
