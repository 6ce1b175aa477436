"""`rollout-conformance serve`: the reference server of a profile, or vLLM, until it is interrupted."""

import asyncio
import os
from importlib import import_module

import click

from rollout_conformance.steps.commands.suggesting import SuggestingGroup
from rollout_conformance.steps.engine import early_end
from rollout_conformance.steps.profiles import PROFILES

OLD_NAMES = {"engine": "vllm"}  # until the release after the next


class References(SuggestingGroup):
    """One command for each profile whose reference can be served, and `vllm`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*(profile.name for profile in PROFILES.working() if profile.reference.served_by), "vllm"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = OLD_NAMES.get(cmd_name, cmd_name)
        if name == "vllm":
            return vllm
        module = PROFILES[name].reference.served_by if name in PROFILES else ""
        return _command(module) if module else None


def _command(module: str) -> click.Command:
    command: click.Command = import_module(module).command
    return command


@click.group("serve", cls=References)
def command() -> None:
    """Run a reference server."""
    known = (profile.reference.mutants for profile in PROFILES.working())
    for variable in {one.variable for one in known if one is not None} & {*os.environ}:
        click.echo(
            f"{variable} is set, and is ignored: this server has no defect. `mutants --list` says how one is served.",
            err=True,
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
