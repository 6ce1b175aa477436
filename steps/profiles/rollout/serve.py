"""`rollout-conformance serve rollout`."""

import os

import click

from rollout_conformance.steps.profiles.serving import SERVER, become, free_port, workers_option


@click.command("rollout")
@click.option("--host", envvar="ROLLOUT_SERVER_HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="ROLLOUT_SERVER_PORT", type=click.IntRange(0, 65535), default=9000, show_default=True)
@click.option(
    "--demo", is_flag=True, help="Use the shipped tokenizer for every tokenizer name, and report that in the response."
)
@workers_option("ROLLOUT_WORKERS")
def command(host: str, port: int, demo: bool, workers: int) -> None:
    """The reference rollout server."""
    port = free_port(host, port, "ROLLOUT_SERVER_PORT")
    os.environ["ROLLOUT_SERVER_HOST"], os.environ["ROLLOUT_SERVER_PORT"] = host, str(port)
    if demo:
        os.environ["ROLLOUT_DEMO"] = "true"
    os.environ["ROLLOUT_WORKERS"] = str(workers)
    click.echo(f"rollout server on http://{host}:{port}  API docs: /docs  stop: Ctrl-C", err=True)
    become(SERVER)
