"""`rollout-conformance serve chat`."""

import click

from rollout_conformance.steps.profiles.serving import SERVER, become, require_free


@click.command("chat")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="ENGINE_PORT", type=click.IntRange(0, 65535), default=9006, show_default=True)
def command(host: str, port: int) -> None:
    """The reference inference server with a deterministic policy, configured by ENGINE_ variables."""
    require_free(host, port, "ENGINE_PORT")
    click.echo(f"inference server on http://{host}:{port or '(any)'}  its model: /v1/models  stop: Ctrl-C", err=True)
    become(f"{SERVER}.inference", "--host", host, "--port", str(port))
