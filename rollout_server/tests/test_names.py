"""The public names of the reference servers, among them the aliases that are kept for one release."""

import importlib
import subprocess
import sys

import pytest

PACKAGE = "rollout_conformance.rollout_server"
APPS = {
    "app": "rollout.app",
    "chat.app": "router.app",
    "engine.app": "inference.app",
}


@pytest.mark.parametrize(("alias", "module"), APPS.items())
def test_an_alias_is_the_app(alias: str, module: str) -> None:
    app, own = importlib.import_module(f"{PACKAGE}.{alias}"), importlib.import_module(f"{PACKAGE}.{module}")
    assert app.create_app is own.create_app


@pytest.mark.parametrize(
    ("module", "variable"),
    [
        ("", "ROLLOUT_SERVER_PORT"),
        (".rollout", "ROLLOUT_SERVER_PORT"),
        (".trainer", "TRAINER_PORT"),
        (".inference", "ENGINE_PORT"),
        (".router", "ROUTER_PORT"),
    ],
)
def test_each_server_is_a_command_that_names_a_bad_setting(module: str, variable: str) -> None:
    command = [sys.executable, "-m", f"{PACKAGE}{module}", "--port", "99999"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert done.returncode == 2
    assert f": {variable.lower()}" in done.stderr.lower()
