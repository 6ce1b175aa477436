"""Configuration by the environment, and its errors."""

from pathlib import Path

import pytest

from rollout_conformance.rollout_server.common.settings import SettingsError
from rollout_conformance.rollout_server.rollout.app import create_app
from rollout_conformance.rollout_server.rollout.settings import load

WRONG = [
    ("ROLLOUT_TIMEOUT_S", "soon"),
    ("ROLLOUT_TIMEOUT_S", "0"),
    ("ROLLOUT_TIMEOUT_S", "inf"),
    ("ROLLOUT_SERVER_PORT", "99999"),
    ("ROLLOUT_MAX_CONCURRENT", "0"),
    ("ROLLOUT_GENERATION_RETRIES", "-1"),
    ("ROLLOUT_RETRY_BASE_S", "-1"),
    ("ROLLOUT_LOG_LEVEL", "loud"),
    ("ROLLOUT_DEMO", "perhaps"),
    ("ROLLOUT_TOOLS", "rollout_conformance.rollout_server.rollout.tools.nothing"),
    (
        "ROLLOUT_TOOLS",
        "rollout_conformance.rollout_server.rollout.tools.calculator,rollout_server.rollout.tools.calculator",
    ),
    ("ROLLOUT_AGENT", "rollout_conformance.rollout_server.nobody"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_reported_with_its_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        create_app()


def test_demo_needs_its_tokenizer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROLLOUT_DEMO", "true")
    create_app()
    monkeypatch.setenv("ROLLOUT_DEMO_TOKENIZER", str(tmp_path))
    with pytest.raises(SettingsError, match="ROLLOUT_DEMO_TOKENIZER"):
        create_app()


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_SERVER_KEY", "")
    monkeypatch.setenv("ROLLOUT_TOOLS", "a.b, c ,")
    settings = load()
    assert settings.server_key is None
    assert settings.tools == ("a.b", "c")
    assert settings.server_port == 9000


def test_a_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUT_SERVER_KEY", "hush")
    assert "hush" not in repr(load())
