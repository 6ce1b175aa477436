"""`rollout-conformance serve`: the reference implementations, reached by name and never imported by the suite."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import click

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.live.engine import EngineOptions, running
from rollout_conformance.steps.live.inference_client import probe_engine
from rollout_conformance.steps.paths import TOKENIZER
from rollout_conformance.steps.peers import asgi_binding
from rollout_conformance.steps.peers.rule_based_trainer import RuleBasedTrainer
from rollout_conformance.steps.peers.tokens import load

SERVER = "rollout_server"


def rollout(host: str, port: int, demo: bool) -> None:
    """Serve the reference rollout server until interrupted."""
    os.environ["ROLLOUT_SERVER_HOST"], os.environ["ROLLOUT_SERVER_PORT"] = host, str(port)
    if demo:
        os.environ["ROLLOUT_DEMO"] = "true"
    _free(host, port, "ROLLOUT_SERVER_PORT")
    click.echo(f"rollout server on http://{host}:{port or '(any)'}  API docs: /docs  stop: Ctrl-C", err=True)
    os.execv(sys.executable, [sys.executable, "-m", SERVER])  # noqa: S606 - our own module, in this very process


def live_trainer(host: str, port: int, tokenizer: Path | None, backend_url: str, model: str | None) -> None:
    """Serve the reference trainer in front of an engine until interrupted: a remote-rollout trainer for any vLLM."""
    os.environ |= {"TRAINER_HOST": host, "TRAINER_PORT": str(port), "TRAINER_BACKEND_URL": backend_url}
    if tokenizer is not None:
        os.environ["TRAINER_TOKENIZER"] = str(tokenizer.resolve())
    os.environ["TRAINER_MODEL"] = (
        model or asyncio.run(probe_engine(backend_url, None, os.environ.get("VLLM_API_KEY"))).model
    )
    if key := os.environ.get("VLLM_API_KEY"):
        os.environ["TRAINER_BACKEND_KEY"] = key
    _free(host, port, "MOCK_TRAINER_PORT")
    click.echo(f"trainer on http://{host}:{port or '(any)'} in front of {backend_url}  stop: Ctrl-C", err=True)
    os.execv(sys.executable, [sys.executable, "-m", f"{SERVER}.trainer"])  # noqa: S606 - our own module, in this very process


def router(host: str, port: int) -> None:
    """Serve the reference router until interrupted. Its engines and keys are named by ROUTER_ variables."""
    _free(host, port, "ROUTER_PORT")
    click.echo(f"router on http://{host}:{port or '(any)'}  stop: Ctrl-C", err=True)
    words = ["-m", f"{SERVER}.router", "--host", host, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - our own module, in this very process


async def engine() -> None:
    """Serve vLLM with the tiny model until interrupted."""
    async with running(EngineOptions.from_environment()) as model:
        click.echo(
            f"vLLM {model.version} with {model.model} on {model.base_url}  log: {model.log}  stop: Ctrl-C", err=True
        )
        click.echo(f"export VLLM_BACKEND_URL={model.base_url} VLLM_MODEL_NAME={model.model}")
        await asyncio.Event().wait()


def trainer(host: str, port: int, tokenizer: Path | None) -> None:
    """Serve the mock trainer until interrupted."""
    _free(host, port, "MOCK_TRAINER_PORT")
    asyncio.run(_trainer(host, port, load(tokenizer or TOKENIZER)))


async def _trainer(host: str, port: int, tokens: object) -> None:
    async with asgi_binding.serve(RuleBasedTrainer(tokens), host, port) as url:  # type: ignore[arg-type]
        click.echo(f"mock trainer on {url}  stop: Ctrl-C", err=True)
        await asyncio.Event().wait()


def _free(host: str, port: int, variable: str) -> None:
    """Raises `SuiteError` when a port is taken. Whoever holds it is left alone."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SuiteError(
                f"cannot listen on {host}:{port}: {error.strerror}. Another program holds it, and is left alone. "
                f"Choose another port with --port N or {variable}=N."
            ) from error
