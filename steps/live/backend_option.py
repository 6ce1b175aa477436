"""What `--backend` asks for: a script, a live engine, the tiny model without one, or a cassette."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.live import cassette, engine
from rollout_conformance.steps.live.engine import EngineOptions
from rollout_conformance.steps.live.inference_client import Engine

SCRIPTED, TINY, LIVE, BOTH, REPLAY = "scripted", "tiny", "live", "both", "replay:"


@dataclass(frozen=True, slots=True)
class Model:
    """Who generates in a run. No `engine` means the script does; `run` is what every name of the run is made of."""

    run: str
    engine: Engine | None = None


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """What a run asks for. `tokenizer` is the hash of its tokenizer; `record` a folder to keep a live session in."""

    backend: str
    tokenizer: str
    profile: str
    record: Path | None = None
    engine_options: EngineOptions | None = None


@contextlib.asynccontextmanager
async def opened(asked: BackendChoice) -> AsyncIterator[Model]:
    """Raises `SuiteError` for what cannot be had."""
    wanted, record = asked.backend, asked.record
    run = secrets.token_hex(4)
    if record is not None and wanted != LIVE:
        raise SuiteError(f"--record keeps a live session; with --backend {wanted} there is none. Write --backend live.")
    if wanted == SCRIPTED:
        yield Model(run)
    elif wanted == LIVE:
        async with contextlib.AsyncExitStack() as stack:
            found = await stack.enter_async_context(
                engine.running(asked.engine_options or EngineOptions.from_environment())
            )
            if record is not None:
                found = await stack.enter_async_context(
                    cassette.recording(found, record / f"{asked.profile}.ndjson", asked.tokenizer, run)
                )
            yield Model(run, found)
    elif wanted == TINY:
        async with engine.tiny() as found:
            yield Model(run, found)
    elif wanted.startswith(REPLAY):
        tape = Path(wanted.removeprefix(REPLAY)) / f"{asked.profile}.ndjson"
        async with cassette.replaying(tape, asked.tokenizer) as (taped, recorded):
            yield Model(recorded, taped)
    else:
        raise SuiteError(f"--backend {wanted}: write scripted, tiny, live, both, or replay:DIR.")
