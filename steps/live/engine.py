"""The engine of a live run: the one that the user names, else vLLM with the tiny model, started and ended by the suite."""

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rollout_conformance.steps.engine import redaction, targets
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.live.inference_client import Engine, probe_engine
from rollout_conformance.steps.paths import SCENARIOS, TOKENIZER

MODEL = SCENARIOS / "model"
NAME = "tiny"
READY_S = 240.0  # a cold start reads two gigabytes of libraries
TINY_READY_S = 60.0
TINY_SERVER = "rollout_conformance.rollout_server.inference"
HOME = Path(".vllm")
MISSING = (
    "--backend live: no vLLM is installed, and VLLM_BACKEND_URL names no running one. Either start an engine and set "
    "VLLM_BACKEND_URL (and VLLM_MODEL_NAME), or install vLLM for this machine's CPU, which takes some minutes and 3 GB:\n"
    "    python -m rollout_conformance.steps.live.install .vllm\n"
    "An installed one is found in .vllm/, on PATH, or where VLLM_EXECUTABLE says."
)
# The tiny model is deterministic in float32 only, and its tool calls must not be stretched by blanks.
FLAGS = (
    "--enable-auto-tool-choice --tool-call-parser hermes --exclude-tools-when-tool-choice-none --max-model-len 4096 "
    "--max-num-seqs 128 --dtype float32 --enforce-eager --distributed-executor-backend uni --disable-uvicorn-access-log "
    "--structured-outputs-config.backend xgrammar --structured-outputs-config.disable_any_whitespace true"
)
ENV: Mapping[str, str] = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # else the executor in the same process is replaced by another
    "TORCHDYNAMO_DISABLE": "1",  # else the first request with logprobs compiles for ten seconds
    "VLLM_LOGGING_LEVEL": "WARNING",
}
OFFLINE: Mapping[str, str] = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the environment asks for. A `model` without a `url` is started instead of the tiny one: a path, or a name of the hub."""

    url: str | None = None
    model: str | None = None
    key: str | None = None
    executable: str | None = None

    @classmethod
    def from_environment(cls) -> "EngineOptions":
        names = ("VLLM_BACKEND_URL", "VLLM_MODEL_NAME", "VLLM_API_KEY", "VLLM_EXECUTABLE")
        engine_options = cls(*(os.environ.get(name) or None for name in names))
        redaction.remember(engine_options.key)
        return engine_options


@contextlib.asynccontextmanager
async def running(engine_options: EngineOptions) -> AsyncIterator[Engine]:
    """Raises `SuiteError` when there is no engine, or none that can be judged with."""
    if engine_options.url is not None:
        yield await probe_engine(engine_options.url, engine_options.model, engine_options.key)
        return
    executable = found(engine_options.executable)
    log = Path(tempfile.gettempdir()) / f"rollout-conformance-vllm-{os.getpid()}.log"
    env = {
        **ENV,
        **({} if engine_options.model else OFFLINE),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }
    try:
        async with targets.running(
            f"cmd:{shlex.join(command(executable, engine_options.model))}", env, READY_S, log
        ) as server:
            yield await probe_engine(server.base_url, engine_options.model or NAME, engine_options.key, str(log))
    except SuiteError as error:
        if "ended with code" in str(error) or "did not answer" in str(error):
            raise SuiteError(f"vLLM did not start: {error}\nIts whole log: {log}") from error
        raise


@contextlib.asynccontextmanager
async def tiny() -> AsyncIterator[Engine]:
    """The tiny model in the reference inference server, which needs no vLLM. Raises `SuiteError` when it does not start."""
    env = {
        "ENGINE_WEIGHTS": str(MODEL),
        "ENGINE_MODEL": NAME,
        "ENGINE_TOKENIZER": str(TOKENIZER),
        "ENGINE_TOKEN_DELAY_S": "0",
        "ENGINE_KEY": "",
    }
    command = shlex.join([sys.executable, "-m", TINY_SERVER, "--port", "{port}"])
    async with targets.running(f"cmd:{command}", env, TINY_READY_S) as server:
        yield await probe_engine(server.base_url, NAME, None)


def found(named: str | None) -> str:
    """The vLLM to start. Raises `SuiteError` with the command that installs one."""
    places = [named] if named else [str(HOME / "bin" / "vllm"), shutil.which("vllm")]
    for place in places:
        if place and Path(place).is_file():
            return str(Path(place).absolute())
    raise SuiteError(f"VLLM_EXECUTABLE={named}: there is no such file" if named else MISSING)


def command(executable: str, model: str | None) -> list[str]:
    """How vLLM is started: `{port}` is still to be filled in."""
    if model is None:
        words = ["serve", str(MODEL), "--tokenizer", str(TOKENIZER), "--served-model-name", NAME, *FLAGS.split()]
    else:
        words = ["serve", model, "--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    more = shlex.split(os.environ.get("VLLM_EXTRA_ARGS", ""))
    return [executable, *words, "--host", "127.0.0.1", "--port", "{port}", *more]
