"""`rollout-conformance serve`: the reference server of a profile, or vLLM, until it is interrupted."""

import asyncio
import os
from importlib import import_module

import click

from rollout_conformance.steps.commands.numbers import WholeNumber
from rollout_conformance.steps.commands.suggesting import SuggestingGroup
from rollout_conformance.steps.engine import early_end
from rollout_conformance.steps.mutant_list import listed, mutants_of
from rollout_conformance.steps.profiles import DEFAULT, PROFILES
from rollout_conformance.steps.profiles.serving import become, free_port

OLD_NAMES = {"engine": "vllm"}  # until the release after the next


class References(SuggestingGroup):
    """One command for each profile whose reference can be served, `mutant` and `vllm`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*(profile.name for profile in PROFILES.working() if profile.reference.served_by), "mutant", "vllm"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = OLD_NAMES.get(cmd_name, cmd_name)
        if name in OTHERS:
            return OTHERS[name]
        module = PROFILES[name].reference.served_by if name in PROFILES else ""
        return _command(module) if module else None


def _command(module: str) -> click.Command:
    command: click.Command = import_module(module).command
    return command


@click.group("serve", cls=References)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Run a reference server."""
    if ctx.invoked_subcommand == "mutant":
        return
    known = (profile.reference.mutants for profile in PROFILES.working())
    for variable in {one.variable for one in known if one is not None} & {*os.environ}:
        click.echo(
            f"{variable} is set, and is ignored: this server has no defect. `serve mutant NAME` runs one that has.",
            err=True,
        )


@click.command("mutant")
@click.argument("name")
@click.option(
    "--profile", default=DEFAULT, show_default=True, help=f"The profile of the mutant: {', '.join(PROFILES)}."
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="MUTANT_PORT", type=WholeNumber(0, 65535), default=9400, show_default=True)
def mutant(name: str, profile: str, host: str, port: int) -> None:
    """A copy of a reference server with one known defect; `mutants --list` shows their names.

    The environment of the card of the reference, such as ROUTER_BACKENDS, is that of this command.
    """
    given = mutants_of(profile)
    (found,) = asyncio.run(listed((name,), profile))
    port = free_port(host, port, "MUTANT_PORT")
    click.echo(f"{profile} server on http://{host}:{port}, in which {found.what}  stop: Ctrl-C", err=True)
    os.environ[given.variable] = name
    become(
        "uvicorn",
        "--factory",
        f"{given.module}:create_app",
        "--host",
        host,
        "--port",
        str(port),
        "--log-level",
        "warning",
    )


@click.command("vllm")
def vllm() -> None:
    """vLLM with the tiny model, on this machine's CPU."""
    early_end.run(_vllm())


async def _vllm() -> None:
    from rollout_conformance.steps.live.engine import EngineOptions, running

    async with running(EngineOptions.from_environment()) as model:
        click.echo(
            f"vLLM {model.version} with {model.model} on {model.base_url}  log: {model.log}  stop: Ctrl-C", err=True
        )
        click.echo(f"export VLLM_BACKEND_URL={model.base_url} VLLM_MODEL_NAME={model.model}")
        await asyncio.Event().wait()


OTHERS = {"mutant": mutant, "vllm": vllm}
