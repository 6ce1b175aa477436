"""`rollout-conformance serve trainer`."""

import asyncio
import os
from pathlib import Path

import click

from rollout_conformance.steps.live.inference_client import probe_engine
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.peers.rule_based_trainer import RuleBasedTrainer
from rollout_conformance.steps.peers.tokens import Tokens, load
from rollout_conformance.steps.profiles.serving import SERVER, become, require_free

PORT = "MOCK_TRAINER_PORT"


@click.command("trainer")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar=PORT, type=click.IntRange(0, 65535), default=9001, show_default=True)
@click.option("--tokenizer", type=click.Path(path_type=Path), default=None, help="Local tokenizer directory.")
@click.option(
    "--backend-url", envvar="TRAINER_BACKEND_URL", default=None, help="An engine: serve a real trainer in front of it."
)
@click.option("--model", default=None, help="The model of that engine; default: the first that it lists.")
def command(host: str, port: int, tokenizer: Path | None, backend_url: str | None, model: str | None) -> None:
    """A mock trainer for any rollout server; with --backend-url a real one in front of any vLLM."""
    if backend_url is not None:
        _live(host, port, tokenizer, backend_url, model)
        return
    require_free(host, port, PORT)
    asyncio.run(_mock(host, port, load(tokenizer or TOKENIZER)))


def _live(host: str, port: int, tokenizer: Path | None, backend_url: str, model: str | None) -> None:
    """Serve the reference trainer in front of an engine: a remote-rollout trainer for any vLLM."""
    os.environ |= {"TRAINER_HOST": host, "TRAINER_PORT": str(port), "TRAINER_BACKEND_URL": backend_url}
    if tokenizer is not None:
        os.environ["TRAINER_TOKENIZER"] = str(tokenizer.resolve())
    key = os.environ.get("VLLM_API_KEY")
    os.environ["TRAINER_MODEL"] = model or asyncio.run(probe_engine(backend_url, None, key)).model
    if key:
        os.environ["TRAINER_BACKEND_KEY"] = key
    require_free(host, port, PORT)
    click.echo(f"trainer on http://{host}:{port or '(any)'} in front of {backend_url}  stop: Ctrl-C", err=True)
    become(f"{SERVER}.trainer")


async def _mock(host: str, port: int, tokens: Tokens) -> None:
    async with asgi_binding.serve(RuleBasedTrainer(tokens), host, port) as url:
        click.echo(f"mock trainer on {url}  stop: Ctrl-C", err=True)
        await asyncio.Event().wait()
