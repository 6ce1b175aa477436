"""`record`: what it refuses before anything is recorded, and that it overwrites nothing."""

import socket
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rollout_conformance.steps.authoring import recorded_file
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.recording import Recorded

CASE = {
    "name": "recorded rollout 1",
    "requirements": ["ROLLOUT-112"],
    "trainer": [{"text": "Done."}],
    "expect": [{"completed": "stop"}],
}


def record(*words: str) -> Result:
    return CliRunner().invoke(cli, ["record", *words])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--target", "localhost:9000"), "write its URL, http://HOST:PORT, without a query"),
        (("--target", "ftp://localhost"), "write its URL"),
        (("--target", "http://"), "write its URL"),
        (("--target", "app:rollout_server.app:create_app"), "a server that runs already"),
        (("--target", "http://127.0.0.1:1"), "Start the server first."),
        (("--target", "http://127.0.0.1:1", "--profile", "router"), "cannot be recorded; these can: rollout, chat."),
        (("--target", "http://127.0.0.1:1", "--profile", "chta"), "chat"),
        (("--target", "http://127.0.0.1:1", "--folder", "file/x"), "cannot be made"),
    ],
)
def test_what_cannot_be_recorded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = record(*words)
    assert isinstance(result.exception, SuiteError)
    assert told in str(result.exception)


def test_a_target_that_does_not_speak_http_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"\x00garbage\r\n\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        result = record("--target", f"http://127.0.0.1:{server.getsockname()[1]}", "--folder", str(tmp_path / "x"))
        answering.join(20)
    assert "does not speak HTTP" in str(result.exception)


def test_files_are_counted_and_none_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "recorded-002.yaml").write_text("mine", encoding="utf-8")
    written = [recorded_file.write(tmp_path, Recorded(CASE), PROFILES["rollout"]).name for _ in range(2)]
    assert written == ["recorded-001.yaml", "recorded-003.yaml"]
    assert (tmp_path / "recorded-002.yaml").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ({**CASE, "requirements": ["ROLLOUT-999"]}, "no requirement ROLLOUT-999"),
        ({**CASE, "start": {"metadata": {"x": "m" * (5 << 20)}}}, "larger than 4 MiB"),
    ],
)
def test_what_is_no_case_is_not_written(tmp_path: Path, case: dict[str, object], told: str) -> None:
    with pytest.raises(SuiteError, match=told):
        recorded_file.write(tmp_path, Recorded(case), PROFILES["rollout"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["no", "<b>", "- x", "a: b", "\u202e\x00\x1b[31m", "\ud83d", "{{x}}", "'\"", " \n ", "🦀"]
)
def test_any_text_is_written_and_read_again(tmp_path: Path, text: str) -> None:
    from rollout_conformance.steps.engine import yaml_source

    case = {**CASE, "trainer": [{"text": text}]}
    try:
        file = recorded_file.write(tmp_path, Recorded(case), PROFILES["rollout"])
    except SuiteError as error:
        assert text in ("\ud83d", "\u202e\x00\x1b[31m"), error  # noqa: PT017 (what YAML cannot hold is reported)
        return
    assert yaml_source.read(file).value["cases"][0]["trainer"] == [{"text": text}]
