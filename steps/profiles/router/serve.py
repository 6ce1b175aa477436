"""`rollout-conformance serve router`."""

import click

from rollout_conformance.steps.profiles.serving import SERVER, become, require_free


@click.command("router")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="ROUTER_PORT", type=click.IntRange(0, 65535), default=9002, show_default=True)
def command(host: str, port: int) -> None:
    """The reference router; ROUTER_BACKENDS and ROUTER_KEYS name its backends and the keys of its clients."""
    require_free(host, port, "ROUTER_PORT")
    click.echo(f"router on http://{host}:{port or '(any)'}  stop: Ctrl-C", err=True)
    become(f"{SERVER}.router", "--host", host, "--port", str(port))
