"""`rollout-conformance serve trainer`."""

import asyncio
import json
import os
from pathlib import Path

import click

from rollout_conformance.steps.live.inference_client import probe_engine
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.peers.rule_based_trainer import RuleBasedTrainer
from rollout_conformance.steps.peers.tokens import Tokens, load
from rollout_conformance.steps.profiles.serving import SERVER, become, free_port

PORT = "MOCK_TRAINER_PORT"


@click.command("trainer")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar=PORT, type=click.IntRange(0, 65535), default=9001, show_default=True)
@click.option("--tokenizer", type=click.Path(path_type=Path), default=None, help="Local tokenizer directory.")
@click.option(
    "--backend-url", envvar="TRAINER_BACKEND_URL", default=None, help="An engine: serve a real trainer in front of it."
)
@click.option("--model", default=None, help="The model of that engine; default: the first that it lists.")
@click.option(
    "--rollouts",
    type=click.Choice(["control", "open", "started"]),
    default=None,
    help="Serve the reference trainer, where rollouts begin so: POST /rollouts, any new rollout_id, or by the trainer itself.",
)
@click.option(
    "--dialect", type=click.Choice(["sync", "callback"]), multiple=True, help="With --rollouts open or started."
)
@click.option(
    "--rollout-server", metavar="URL", default=None, help="With --rollouts started: where rollouts are started."
)
def command(
    host: str,
    port: int,
    tokenizer: Path | None,
    backend_url: str | None,
    model: str | None,
    rollouts: str | None,
    dialect: tuple[str, ...],
    rollout_server: str | None,
) -> None:
    """A mock trainer for any rollout server; with --backend-url a real one in front of any vLLM; with --rollouts the reference trainer."""
    if rollouts is not None:
        _reference(host, port, tokenizer, rollouts, dialect, rollout_server)
        return
    if backend_url is not None:
        _live(host, port, tokenizer, backend_url, model)
        return
    free_port(host, port, PORT)
    asyncio.run(_mock(host, port, load(tokenizer or TOKENIZER)))


def _reference(
    host: str, port: int, tokenizer: Path | None, rollouts: str, dialects: tuple[str, ...], server: str | None
) -> None:
    """Serve the reference trainer with its own policy."""
    if rollouts == "started" and server is None:
        raise click.UsageError("--rollouts started needs --rollout-server URL: the address where rollouts are started.")
    port = free_port(host, port, PORT)
    os.environ |= {"TRAINER_HOST": host, "TRAINER_PORT": str(port), "TRAINER_ROLLOUTS": rollouts}
    if rollouts == "started":
        os.environ.setdefault("TRAINER_PUBLIC_URL", f"http://{host}:{port}")
    if dialects:
        os.environ["TRAINER_DIALECTS"] = json.dumps(dialects)
    if server is not None:
        os.environ["TRAINER_ROLLOUT_SERVER"] = server
    if tokenizer is not None:
        os.environ["TRAINER_TOKENIZER"] = str(tokenizer.resolve())
    click.echo(f"reference trainer on http://{host}:{port}, rollouts: {rollouts}  stop: Ctrl-C", err=True)
    become(f"{SERVER}.trainer")


def _live(host: str, port: int, tokenizer: Path | None, backend_url: str, model: str | None) -> None:
    """Serve the reference trainer in front of an engine: a remote-rollout trainer for any vLLM."""
    port = free_port(host, port, PORT)
    os.environ |= {"TRAINER_HOST": host, "TRAINER_PORT": str(port), "TRAINER_BACKEND_URL": backend_url}
    if tokenizer is not None:
        os.environ["TRAINER_TOKENIZER"] = str(tokenizer.resolve())
    key = os.environ.get("VLLM_API_KEY")
    os.environ["TRAINER_MODEL"] = model or asyncio.run(probe_engine(backend_url, None, key)).model
    if key:
        os.environ["TRAINER_BACKEND_KEY"] = key
    click.echo(f"trainer on http://{host}:{port} in front of {backend_url}  stop: Ctrl-C", err=True)
    become(f"{SERVER}.trainer")


async def _mock(host: str, port: int, tokens: Tokens) -> None:
    async with asgi_binding.serve(RuleBasedTrainer(tokens), host, port) as url:
        click.echo(f"mock trainer on {url}  stop: Ctrl-C", err=True)
        await asyncio.Event().wait()
