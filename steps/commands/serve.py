"""`rollout-conformance serve`: a reference server until it is interrupted."""

from pathlib import Path

import click

from rollout_conformance.steps import serve as servers
from rollout_conformance.steps.engine import early_end


@click.group("serve")
def command() -> None:
    """Run a reference server."""


@command.command("rollout")
@click.option("--host", envvar="ROLLOUT_SERVER_HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="ROLLOUT_SERVER_PORT", type=click.IntRange(0, 65535), default=9000, show_default=True)
@click.option(
    "--demo", is_flag=True, help="Use the shipped tokenizer for every tokenizer name, and report that in the response."
)
def rollout(host: str, port: int, demo: bool) -> None:
    """The reference rollout server (sync and callback dialects)."""
    servers.rollout(host, port, demo)


@command.command("trainer")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="MOCK_TRAINER_PORT", type=click.IntRange(0, 65535), default=9001, show_default=True)
@click.option("--tokenizer", type=click.Path(path_type=Path), default=None, help="Local tokenizer directory.")
@click.option(
    "--backend-url", envvar="TRAINER_BACKEND_URL", default=None, help="An engine: serve a real trainer in front of it."
)
@click.option("--model", default=None, help="The model of that engine; default: the first that it lists.")
def trainer(host: str, port: int, tokenizer: Path | None, backend_url: str | None, model: str | None) -> None:
    """A mock trainer for any rollout server; with --backend-url a real one in front of any vLLM."""
    if backend_url is None:
        servers.trainer(host, port, tokenizer)
    else:
        servers.live_trainer(host, port, tokenizer, backend_url, model)


@command.command("chat")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="ROUTER_PORT", type=click.IntRange(0, 65535), default=9002, show_default=True)
def chat(host: str, port: int) -> None:
    """The reference router; ROUTER_BACKENDS and ROUTER_KEYS name its backends and the keys of its clients."""
    servers.router(host, port)


@command.command("engine")
def engine() -> None:
    """vLLM with the tiny model, on this machine's CPU."""
    early_end.run(servers.engine())
