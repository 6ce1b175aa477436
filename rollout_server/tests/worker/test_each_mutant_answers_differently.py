"""Mutants of the worker are served by name, and each answers at least one request differently from the reference, by its defect and not
by a crash."""

import asyncio
import functools
import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from rollout_conformance.rollout_server.mutants import worker as mutants
from rollout_conformance.rollout_server.mutants.worker.variants import VARIANTS
from rollout_conformance.rollout_server.tests import crashes
from rollout_conformance.rollout_server.tests.worker.probes import answers
from rollout_conformance.rollout_server.worker import vocabulary

WORKER = "rollout_conformance.rollout_server.worker"
CRASHES = {  # those whose defect is a server error
    "sglang_limit_500",
    "llamacpp_prompt_500",
    "unknown_member",
    "abort_ended_500",
    "context_500",
    "native_context_500",
    "loading_500",
    "top_k_500",
    "type_500",
    "native_unknown_member",
    "vllm_context_500",
}


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a mutant patches is as it was afterwards. This process gets no signal, and does not exit."""
    monkeypatch.setattr(os, "kill", lambda *_: None)
    monkeypatch.setattr(os, "_exit", lambda *_: None)
    monkeypatch.setattr(vocabulary, "load", functools.cache(vocabulary.load))
    modules = [module for name, module in sys.modules.items() if name.startswith(WORKER)]
    owners: list[Any] = [
        *modules,
        *(one for module in modules for one in vars(module).values() if isinstance(one, type)),
    ]
    before = [(owner, dict(vars(owner))) for owner in owners if is_own(owner)]
    yield
    for owner, names in before:
        for name, value in names.items():
            if vars(owner).get(name) is not value:
                setattr(owner, name, value)
    gc.collect()  # what is left open is a warning here, and not in a test that comes later


def is_own(owner: Any) -> bool:
    return str(getattr(owner, "__module__", owner.__name__)).startswith(WORKER)


async def everything() -> list[str]:
    return [answer async for answer in answers()]


@functools.cache
def of_the_reference() -> tuple[str, ...]:
    return tuple(asyncio.run(everything()))


async def differs(expected: tuple[str, ...]) -> bool:
    number = 0
    async with aclosing(answers()) as given:
        async for answer in given:
            if answer != expected[number]:
                return True
            number += 1
    return number != len(expected)


def test_the_reference_is_deterministic() -> None:
    assert tuple(asyncio.run(everything())) == of_the_reference()


@pytest.mark.slow
@pytest.mark.parametrize("name", mutants.ALL)
def test_each_mutant_answers_differently(name: str) -> None:
    expected = of_the_reference()
    mutants.ALL[name].patch()
    with crashes.recorded() as crashed:
        assert asyncio.run(differs(expected))
    assert bool(crashed) == (name in CRASHES), crashed


def test_an_unknown_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_MUTANT", "nobody")
    with pytest.raises(LookupError, match="names no mutant; there are "):
        mutants.create_app()


def test_each_describes_itself() -> None:
    described = [mutants.CATALOGUE.describe(mutant) for mutant in mutants.ALL.values()]
    assert json.dumps(described)
    assert all(one["requirement"].startswith("WORKER-") and one["dialects"] for one in described)


def test_no_variant_has_the_name_of_a_mutant() -> None:
    assert not set(mutants.ALL) & set(VARIANTS)
