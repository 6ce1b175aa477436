"""Answers a shell that completes a line: the options from the table, the values from the files that have them."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, shell_complete, split_arg_string

from rollout_conformance.steps.completion import values
from rollout_conformance.steps.completion.options_table import FILE
from rollout_conformance.steps.profiles import DEFAULT

PROGRAM = "rollout-conformance"
VARIABLE = "_ROLLOUT_CONFORMANCE_COMPLETE"
BASH = "bash"  # it inserts what it is given without quotes


def main() -> int:
    """Print what the shell asked for, by click's own protocol; gives the exit code."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    return int(shell_complete(_group(table), {}, PROGRAM, VARIABLE, os.environ.get(VARIABLE, "")))


class Value(click.ParamType[str]):
    """A value of one of the kinds of the table."""

    name = "value"

    def __init__(self, kind: str, table: values.Table) -> None:
        self.kind, self.table = kind, table

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        found = dict.fromkeys(self._values(ctx))
        return [CompletionItem(one) for one in found if one.casefold().startswith(incomplete.casefold())]

    def _values(self, ctx: click.Context) -> Iterable[str]:
        profile = ctx.params.get("profile") or DEFAULT
        if self.kind == "profile":
            return values.profiles(self.table)
        if self.kind == "dialect":
            return values.dialects(self.table, profile)
        if self.kind == "requirement":
            return values.requirements()
        if self.kind == "mutant":
            return values.mutants(self.table, profile)
        return _cases(profile, [Path(word) for word in split_arg_string(os.environ.get("COMP_WORDS", ""))])


def _cases(profile: str, files: list[Path]) -> Iterator[str]:
    """What `--case` may name. A name with spaces cannot be given to bash, whose users have the files and the requirements."""
    found = list(values.cases(profile, files))
    if not os.environ.get(VARIABLE, "").startswith(BASH):
        yield from (name for name, _ in found if "<" not in name)
    yield from (file for _, file in found)
    yield from values.requirements(profile)


def _group(table: values.Table) -> click.Group:
    made = click.Group(PROGRAM)
    for name, described in table["commands"].items():
        made.add_command(_command(name, described, table))
    return made


def _command(name: str, described: Any, table: values.Table) -> click.Command:
    if "commands" in described:
        inner = [click.Command(one) for one in described["commands"]]
        return click.Group(name, help=described["help"], commands=inner)
    return click.Command(name, help=described["help"], params=[_parameter(one, table) for one in described["params"]])


def _parameter(described: Any, table: values.Table) -> click.Parameter:
    name, options = described["name"], described.get("options")
    if described.get("flag"):
        return click.Option([*options, name], is_flag=True, help=described["help"])
    kind = _type(described["kind"], table)
    if options is None:
        return click.Argument([name], type=kind, nargs=-1 if described["several"] else 1, required=False)
    return click.Option([*options, name], type=kind, multiple=described["several"], help=described["help"])


def _type(kind: Any, table: values.Table) -> click.ParamType[Any] | None:
    if isinstance(kind, list):
        return click.Choice(kind)
    if kind in ("file", "folder"):
        return click.Path(file_okay=kind == "file")
    return Value(kind, table) if kind else None
