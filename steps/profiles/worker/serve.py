"""`rollout-conformance serve worker`."""

import click

from rollout_conformance.steps.profiles.serving import SERVER, become, free_port


@click.command("worker")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="WORKER_PORT", type=click.IntRange(0, 65535), default=9005, show_default=True)
@click.option("--stub", is_flag=True, help="Without a model: a deterministic stand-in that is ready at once.")
def command(host: str, port: int, stub: bool) -> None:
    """The reference worker, in all dialects; with --stub without a model."""
    port = free_port(host, port, "WORKER_PORT")
    what = "stub worker" if stub else "worker"
    click.echo(f"{what} on http://{host}:{port}  stop: Ctrl-C", err=True)
    become(f"{SERVER}.worker", "--host", host, "--port", str(port), *(["--stub"] if stub else []))
