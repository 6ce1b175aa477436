"""No two targets are given one port, whichever run starts them."""

import socket
from pathlib import Path

import pytest

from rollout_conformance.steps.engine import port_claims
from rollout_conformance.steps.engine.port_claims import claimed_port


def two_free_ports() -> range:
    """Two ports, one after the other, that nobody listens on."""
    return next(
        range(port, port + 2)
        for port in range(20_000, 32_000, 2)
        if port_claims.is_free(port) and port_claims.is_free(port + 1)
    )


@pytest.fixture(autouse=True)
def own_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_claimed_port_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_claims, "PORTS", two_free_ports())
    for _ in range(5):
        with claimed_port() as one, claimed_port() as other:
            assert {one, other} == set(port_claims.PORTS)


def test_a_port_that_is_in_use_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = two_free_ports()
    monkeypatch.setattr(port_claims, "PORTS", ports)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", ports[0]))
        for _ in range(5):
            with claimed_port() as port:
                assert port == ports[1]
