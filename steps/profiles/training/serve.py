"""`rollout-conformance serve training`."""

import click

from rollout_conformance.steps.profiles.serving import SERVER, become, require_free


@click.command("training")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="TRAINING_PORT", type=click.IntRange(0, 65535), default=9004, show_default=True)
def command(host: str, port: int) -> None:
    """The reference training API, in the dialects `signal` and `tinker-json`."""
    require_free(host, port, "TRAINING_PORT")
    click.echo(f"training on http://{host}:{port or '(any)'}  stop: Ctrl-C", err=True)
    become(f"{SERVER}.training", "--host", host, "--port", str(port))
