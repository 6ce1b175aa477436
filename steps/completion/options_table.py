"""The commands and their options as data, for completion: made from the commands themselves by `docs/generate.py`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

FILE = Path(__file__).parent / "options.json"
# What completes the value of a parameter, by its name; others by their type.
KINDS = {
    "profile": "profile",
    "dialect": "dialect",
    "patterns": "case",
    "about": "requirement",
    "requirement": "requirement",
}
MUTANT = "mutant"


def text() -> str:
    """The table as JSON."""
    from rollout_conformance.steps.cli import COMMANDS, cli

    context = cli.make_context("rollout-conformance", [], resilient_parsing=True)
    commands = {name: _command(cli.get_command(context, name), context) for name in COMMANDS}
    return json.dumps({"commands": commands, "profiles": _profiles()}, indent=1) + "\n"


def _command(command: click.Command | None, context: click.Context) -> dict[str, Any]:
    assert command is not None
    made: dict[str, Any] = {"help": command.get_short_help_str(60)}
    if isinstance(command, click.Group):
        return made | {"commands": list(command.list_commands(context))}
    return made | {"params": [dict(_parameter(command.name, one)) for one in command.params]}


def _parameter(command: str | None, one: click.Parameter) -> Iterator[tuple[str, Any]]:
    yield "name", one.name
    if isinstance(one, click.Option):
        yield "options", [*one.opts, *one.secondary_opts]
        yield "help", (one.help or "").partition(".")[0]
        if one.is_flag or one.count:
            yield "flag", True
            return
    yield "several", one.multiple or one.nargs != 1
    yield "kind", MUTANT if (command, one.name) in {("mutants", "only"), ("mutants", "names")} else _kind(one)


def _kind(one: click.Parameter) -> Any:
    if isinstance(one.type, click.Choice):
        return list(one.type.choices)
    if isinstance(one.type, click.Path):
        return "folder" if not one.type.file_okay else "file"
    if one.name == "backend":
        return ["scripted", "tiny", "live", "both"]
    return KINDS.get(one.name or "", "")


def _profiles() -> dict[str, Any]:
    from rollout_conformance.steps.profiles import OURS, PROFILES

    made = {}
    for name in OURS:
        mutants = PROFILES[name].reference.mutants
        made[name] = {"dialects": list(PROFILES[name].dialects), "mutants": mutants.module if mutants else ""}
    return made
