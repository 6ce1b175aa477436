"""Mutants are served by name, and each fails a test that the reference passes, by its defect and not by a crash."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rollout_conformance.rollout_server.mutants import router
from rollout_conformance.rollout_server.tests import crashes
from rollout_conformance.rollout_server.tests.router.failing_by_name import FAILING, WITH_A_FOLDER
from rollout_conformance.rollout_server.tests.router.failing_on_the_wire import (
    body_of_a_stream,
    closed_at_the_second_request,
)
from rollout_conformance.rollout_server.tests.router.failing_tests import (
    body_of_the_second_attempt,
    busy,
    developers,
    large,
    no_decisions,
    not_forwarded,
    not_ready,
    public_paths,
    rich_deltas,
    same_at_second_attempt,
    strict_usage,
    told_healthy,
    tools_in_order,
    torn_characters,
    two_keys_alike,
    usage_of_a_stream,
    well_formed,
)
from rollout_conformance.rollout_server.tests.router.failing_values import FAILING_BY_VALUE

ALL_FAILING = FAILING | FAILING_BY_VALUE
CRASHES = {"key_bytes_500", "head_fails", "bad_json_500"}  # those whose defect is a server error


@pytest.fixture
def restored() -> Iterator[None]:
    """Whatever a mutant patches is as it was afterwards: names of modules, and members of their classes."""
    prefix = "rollout_conformance.rollout_server."
    packages = (f"{prefix}router.", f"{prefix}common.", f"{prefix}tests.router.support")
    modules = [module for name, module in sys.modules.items() if name.startswith(packages)]
    before = [(module, dict(vars(module))) for module in modules]
    classes = {value for _, names in before for value in names.values() if isinstance(value, type)}
    own = [kind for kind in classes if kind.__module__.startswith(packages)]
    members = {kind: dict(vars(kind)) for kind in own}
    yield
    for module, names in before:
        vars(module).update(names)
    for kind, values in members.items():
        for name in vars(kind).keys() - values.keys():
            delattr(kind, name)
        for name, value in values.items():
            if vars(kind)[name] is not value:
                setattr(kind, name, value)


def test_each_mutant_has_a_test() -> None:
    assert {*ALL_FAILING, *WITH_A_FOLDER} == {*router.ALL}


@pytest.mark.parametrize("name", ALL_FAILING)
def test_each_mutant_fails_a_test_that_the_reference_passes(
    name: str, restored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollout_conformance.rollout_server.tests.router.support.DEADLINE_S", 3.0)
    router.ALL[name].patch()
    with crashes.recorded() as crashed, pytest.raises((AssertionError, LookupError, TimeoutError)):
        ALL_FAILING[name]()
    assert bool(crashed) == (name in CRASHES), crashed


@pytest.mark.parametrize("name", WITH_A_FOLDER)
def test_each_mutant_of_the_state_store_fails_a_test(name: str, restored: None, tmp_path: Path) -> None:
    router.ALL[name].patch()
    with crashes.recorded() as crashed, pytest.raises(AssertionError):
        WITH_A_FOLDER[name](tmp_path)
    assert not crashed


@pytest.mark.parametrize(
    "test",
    [
        public_paths,
        told_healthy,
        no_decisions,
        not_ready,
        well_formed,
        rich_deltas,
        developers,
        busy,
        two_keys_alike,
        strict_usage,
        usage_of_a_stream,
        same_at_second_attempt,
        torn_characters,
        body_of_the_second_attempt,
        tools_in_order,
        lambda: large(False),
        lambda: large(True),
        body_of_a_stream,
        lambda: body_of_a_stream(spaces=300),
        closed_at_the_second_request,
        lambda: not_forwarded("OPTIONS"),
        lambda: not_forwarded("HEAD"),
        *FAILING_BY_VALUE.values(),
    ],
)
def test_the_reference_passes(test: Callable[[], None]) -> None:
    test()


def test_an_unknown_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_MUTANT", "nobody")
    with pytest.raises(LookupError, match="names no mutant; there are "):
        router.create_app()


def test_one_is_served_by_name(monkeypatch: pytest.MonkeyPatch, restored: None) -> None:
    monkeypatch.setenv("ROUTER_MUTANT", "planner_always_holds")
    assert router.create_app().state.app_state.pool.backends == []


def test_each_describes_itself() -> None:
    describe = [router.CATALOGUE.describe(mutant) for mutant in router.ALL.values()]
    assert json.dumps(describe)
    assert all(one["requirement"].startswith("ROUTER-") for one in describe)
