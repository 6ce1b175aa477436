"""Which engine a live run gets: the one that is named, else the vLLM that is found, with the flags that it needs."""

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from rollout_conformance.steps.engine import redaction, targets
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.targets import Target
from rollout_conformance.steps.live import engine
from rollout_conformance.steps.live.engine import EngineOptions, command, found, running
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.tests.test_live_inference_client import FakeEngine

NAMES = ("VLLM_BACKEND_URL", "VLLM_MODEL_NAME", "VLLM_API_KEY", "VLLM_EXECUTABLE", "VLLM_EXTRA_ARGS", "OMP_NUM_THREADS")


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without an engine, in a folder of its own."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(redaction, "_given", set[str]())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def executable(file: Path, text: str = "#!/bin/sh\n") -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return str(file)


async def entered(engine_options: EngineOptions) -> Engine:
    async with running(engine_options) as one:
        return one


def test_the_named_executable_is_taken_before_all_others(tmp_path: Path) -> None:
    executable(tmp_path / ".vllm/bin/vllm")
    executable(tmp_path / "bin/vllm")
    mine = executable(tmp_path / "mine/vllm")
    assert found(mine) == mine
    assert found("mine/vllm") == mine


def test_the_installed_one_is_taken_before_that_on_the_path(tmp_path: Path) -> None:
    on_path = executable(tmp_path / "bin/vllm")
    assert found(None) == on_path
    installed = executable(tmp_path / ".vllm/bin/vllm")
    assert found(None) == installed


def test_no_executable_is_told_how_to_install_one() -> None:
    with pytest.raises(SuiteError) as told:
        found(None)
    for words in (
        "VLLM_BACKEND_URL",
        "VLLM_MODEL_NAME",
        "python -m rollout_conformance.steps.live.install .vllm",
        "VLLM_EXECUTABLE",
    ):
        assert words in str(told.value)


def test_a_named_executable_that_is_not_there_is_told(tmp_path: Path) -> None:
    executable(tmp_path / "bin/vllm")
    with pytest.raises(SuiteError, match=r"^VLLM_EXECUTABLE=/no/vllm: there is no such file$"):
        found("/no/vllm")


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_the_tiny_model_is_served_with_what_it_needs() -> None:
    words = command("/x/vllm", None)
    assert words[:3] == ["/x/vllm", "serve", str(engine.MODEL)]
    wanted = {
        "--tokenizer": str(TOKENIZER),
        "--served-model-name": "tiny",
        "--tool-call-parser": "hermes",
        "--dtype": "float32",
        "--distributed-executor-backend": "uni",
        "--structured-outputs-config.disable_any_whitespace": "true",
        "--host": "127.0.0.1",
        "--port": "{port}",
    }
    assert {name: option(words, name) for name in wanted} == wanted
    assert {"--enable-auto-tool-choice", "--enforce-eager", "--exclude-tools-when-tool-choice-none"} <= set(words)
    assert (engine.MODEL.parent, TOKENIZER.is_dir()) == (TOKENIZER.parent, True)


def test_another_model_is_served_as_it_is() -> None:
    words = command("/x/vllm", "org/model")
    assert words[:3] == ["/x/vllm", "serve", "org/model"]
    assert option(words, "--tool-call-parser") == "hermes"
    assert "--enable-auto-tool-choice" in words
    assert "--dtype" not in words
    assert "--served-model-name" not in words


@pytest.mark.parametrize("model", [None, "org/model"])
def test_more_arguments_come_last(model: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_EXTRA_ARGS", "--seed 7 --chat-template 'a b.jinja'")
    assert command("/x/vllm", model)[-4:] == ["--seed", "7", "--chat-template", "a b.jinja"]


def test_the_command_can_be_started_as_a_target() -> None:
    started = targets.command(f"cmd:{shlex.join(command('/a b/vllm', None))}", 4711)
    assert started is not None
    assert (started[0], option(started, "--port")) == ("/a b/vllm", "4711")


def test_the_wish_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EngineOptions.from_environment() == EngineOptions(None, None, None, None)
    for name, value in zip(NAMES, ("http://e:1", "m", "open-sesame", "/x/vllm"), strict=False):
        monkeypatch.setenv(name, value)
    assert EngineOptions.from_environment() == EngineOptions(
        url="http://e:1", model="m", key="open-sesame", executable="/x/vllm"
    )
    assert redaction.redacted("open-sesame!") == "***!"


def test_what_is_empty_is_not_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES[:4]:
        monkeypatch.setenv(name, "")
    assert EngineOptions.from_environment() == EngineOptions()


def test_a_named_engine_is_used_and_none_is_started() -> None:
    async def run() -> Engine:
        async with asgi_binding.serve(FakeEngine(key="sesame")) as url:
            return await entered(EngineOptions(f"{url}/v1/", "second", "sesame", "/no/vllm"))

    assert asyncio.run(run()).model == "second"


Started = list[tuple[str, Mapping[str, str]]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    """What is started instead of vLLM: a fake engine, in this process. The list tells how."""
    seen: Started = []
    executable(tmp_path / "bin/vllm")

    @contextlib.asynccontextmanager
    async def instead(spec: str, env: Mapping[str, str], ready_s: float, log: Path) -> AsyncIterator[Target]:
        seen.append((spec, env))
        async with asgi_binding.serve(FakeEngine()) as url:
            yield Target(url)

    monkeypatch.setattr(targets, "running", instead)
    return seen


def test_an_engine_is_started_where_none_is_named(started: Started, tmp_path: Path) -> None:
    one = asyncio.run(entered(EngineOptions()))
    ((spec, env),) = started
    assert spec == f"cmd:{shlex.join(command(str(tmp_path / 'bin/vllm'), None))}"
    assert (one.model, Path(one.log).parent) == ("tiny", tmp_path)
    assert {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "OMP_NUM_THREADS": "1"}.items() <= env.items()


def test_a_model_of_the_hub_is_fetched(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert asyncio.run(entered(EngineOptions(model="second"))).model == "second"
    assert started[0][1]["OMP_NUM_THREADS"] == "8"
    assert "HF_HUB_OFFLINE" not in started[0][1]


def test_what_is_wrong_with_a_started_engine_is_not_called_a_failed_start(started: Started) -> None:
    with pytest.raises(SuiteError) as told:
        asyncio.run(entered(EngineOptions(model="third")))
    assert str(told.value).startswith("VLLM_MODEL_NAME=third: ")
    assert started


def test_a_key_in_the_environment_does_not_lock_the_suite_out(started: Started) -> None:
    one = asyncio.run(entered(EngineOptions(key="sesame")))
    assert one.key == "sesame" or started[0][1].get("VLLM_API_KEY") == ""


def test_vllm_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    broken = executable(tmp_path / "vllm", "#!/bin/sh\necho no AVX512 here >&2\nexit 3\n")
    with pytest.raises(SuiteError) as told:
        asyncio.run(entered(EngineOptions(executable=broken)))
    text = str(told.value)
    assert text.startswith("vLLM did not start: ")
    assert "ended with code 3" in text
    assert "no AVX512 here" in text
    (log,) = tmp_path.glob("rollout-conformance-vllm-*.log")
    assert text.endswith(f"Its whole log: {log}")
    assert log.read_text() == "no AVX512 here\n"
