"""What a router is told by its command, and what its card declares."""

from dataclasses import replace

import pytest

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.peers.scripted_backends import Backends
from rollout_conformance.steps.profiles.base import Setting
from rollout_conformance.steps.profiles.router.card import RouterCard
from rollout_conformance.steps.profiles.router.profile import RouterPeers


def peers(**members: object) -> RouterPeers:
    card = RouterCard.model_validate(members)
    setting = Setting("cmd:router {port}", card, None, None, None, ("127.0.0.1", 0), "00000000")
    return RouterPeers(setting, Backends(), {"a": "http://127.0.0.1:1111", "b": "http://127.0.0.1:2222"})


def case(name: str) -> Case:
    return next(one for one in case_catalog.every("router") if name in one.name)


@pytest.mark.parametrize(
    ("command", "started"),
    [
        (
            "cmd:r --port {port} {backend_a} {engine_b}",
            "cmd:r --port {port} http://127.0.0.1:1111 http://127.0.0.1:2222",
        ),
        ("cmd:r {backend_a_address},{backend_b_address}", "cmd:r 127.0.0.1:1111,127.0.0.1:2222"),
    ],
)
def test_a_command_names_the_backends(command: str, started: str) -> None:
    assert peers().resolved(command) == started


def test_a_proxy_that_reads_no_bodies_declares_it() -> None:
    rejects = replace(case("an unsupported method is rejected"), alone=False)
    assert peers().lacks(rejects) is None
    reason = peers(capabilities=["no_validation"]).lacks(rejects)
    assert reason is not None
    assert "`validation`" in reason
