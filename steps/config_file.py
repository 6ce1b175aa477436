"""What a project writes once instead of on every command line: `rollout-conformance.toml`, or `[tool.rollout-conformance]` in pyproject.toml.

Its keys are the names of options. What stands on the command line wins. A path is taken from the folder of the file.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from rollout_conformance.steps.engine import text_file
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.suggestions import unknown_name

OWN, SHARED, TABLE = "rollout-conformance.toml", "pyproject.toml", "rollout-conformance"
COMMANDS = ("run", "smoke", "card", "explore", "doctor")  # those that address a target
OF_ONE_RUN = frozenset({"case", "write-baseline", "record", "verbose", "help", "force", "output"})


@dataclass(frozen=True, slots=True)
class Config:
    """The options of a file, by name."""

    file: Path
    options: Mapping[str, Any]


def found(folder: Path) -> Config | None:
    """The configuration of a project. Raises `SuiteError` where a file cannot be read, or two files have one."""
    own, shared = folder / OWN, folder / SHARED
    of_shared = read(shared) if shared.is_file() else None
    if not own.is_file():
        return of_shared
    if of_shared is not None:
        raise SuiteError(f"{OWN} and [tool.{TABLE}] in {SHARED} both configure the suite; keep one of them.")
    return read(own)


def read(file: Path) -> Config | None:
    """None for a pyproject.toml without our table."""
    if not file.is_file():
        raise SuiteError(f"--config {file}: there is no such file")
    text = text_file.read(file, str(file))
    try:
        value: Any = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        if file.name == SHARED and TABLE not in text:
            return None  # it is not ours, and whose it is will say so
        raise SuiteError(f"{file}: is not TOML: {error}") from None
    if file.name == SHARED:
        tool = value.get("tool")
        table = tool.get(TABLE) if isinstance(tool, dict) else None
        if table is None:
            _check_spelling(file, tool)
            return None
        value = table
    if not isinstance(value, dict):
        raise SuiteError(
            f"{file}: [tool.{TABLE}] is not a table; write [tool.{TABLE}] and below it e.g. target = '...'"
        )
    return Config(file, value)


def _check_spelling(file: Path, tool: object) -> None:
    """Raises `SuiteError` for a table of the command's name in other signs, whose options would count for nothing."""
    for name in tool if isinstance(tool, dict) else ():
        if re.sub(r"[-_.]", "-", name.lower()) == TABLE:
            raise SuiteError(f"{file}: the options stand in [tool.{TABLE}], not in [tool.{name}].")


def defaults(config: Config, command: click.Command, every: Mapping[str, click.Parameter]) -> dict[str, Any]:
    """The values for a command by the name of its parameter, of what it takes; `every` are the options that any command takes.

    Raises `SuiteError` for an unknown name and for a value that its option does not take.
    """
    mine = options_of(command)
    values: dict[str, Any] = {}
    problems = ErrorCollector()
    for name, value in config.options.items():
        converted = problems.attempt(partial(_value, config, name, value, every))
        if name in mine and mine[name].name is not None:
            values[str(mine[name].name)] = [converted] if mine[name].multiple else converted
    problems.conclude()
    return values


def _value(config: Config, name: str, value: Any, every: Mapping[str, click.Parameter]) -> Any:
    if name not in every:
        raise SuiteError(f"{config.file}: {_unknown(name, value, every)}")
    return _converted(config, name, value, every[name])


def options_of(command: click.Command) -> dict[str, click.Parameter]:
    """The options of a command that a file may have, by their long names."""
    named = {
        option.removeprefix("--"): one
        for one in command.params
        if isinstance(one, click.Option)
        for option in one.opts
        if option.startswith("--")
    }
    return {name: one for name, one in named.items() if name not in OF_ONE_RUN}


def _unknown(name: str, value: object, every: Mapping[str, object]) -> str:
    if name in OF_ONE_RUN:
        return f"{name} is about one run; write --{name} on the command line"
    if isinstance(value, dict):
        return f"[{name}] is a table; options stand at the top, one a line, e.g. target = 'http://127.0.0.1:9000'"
    return unknown_name("option", name, sorted(every))


def _converted(config: Config, name: str, value: Any, option: click.Parameter) -> Any:
    wanted, types = _wanted(option)
    if type(value) not in types:  # not isinstance: true is no number
        raise SuiteError(f"{config.file}: {name} = {value!r} is no value of this option; it takes {wanted}")
    if isinstance(option.type, click.Path):
        value = str(config.file.parent / value)
    try:
        option.type.convert(value, option, None)
    except click.BadParameter as wrong:
        raise SuiteError(f"{config.file}: {name} = {value!r}: {wrong.message}") from None
    return value


def _wanted(option: click.Parameter) -> tuple[str, tuple[type, ...]]:
    """What an option takes, in words, and the types of TOML that it is written in."""
    if isinstance(option, click.Option) and option.is_flag:
        return "true or false", (bool,)
    if isinstance(option.type, click.types.IntParamType):
        return "a whole number", (int,)
    if isinstance(option.type, click.types.FloatParamType):
        return "a number", (int, float)
    if isinstance(option.type, click.Path):
        return "a path, in quotes", (str,)
    return "a text, in quotes", (str,)
