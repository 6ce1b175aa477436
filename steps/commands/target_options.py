"""The options of every command that addresses a target."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from rollout_conformance.steps.commands.numbers import Number
from rollout_conformance.steps.profiles import DEFAULT, PROFILES


class Address(click.ParamType[tuple[str, int]]):
    name = "HOST:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return str(value[0]), int(value[1])
        host, _, port = str(value).rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            self.fail(f"{value!r} is not HOST:PORT; write 127.0.0.1:0 for any free port", param, ctx)
        return host, int(port)


def _one_dialect(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> str | None:
    """The last of several would be judged alone, and the others be taken for judged."""
    if len(value) > 1:
        raise click.BadParameter("it is given twice. Name one, or none: then all that the target supports are judged.")
    return value[0] if value else None


OPTIONS = (
    click.option(
        "--profile",
        default=DEFAULT,
        show_default=True,
        help=f"The kind of system that is judged: {', '.join(PROFILES)}.",
    ),
    click.option(
        "--dialect",
        multiple=True,
        callback=_one_dialect,
        help="Judge only this dialect; default: all that the target supports.",
    ),
    click.option("--target", default=None, help="app:module:factory | http://host:port | cmd:'command with {port}'."),
    click.option("--card", type=click.Path(path_type=Path), help="YAML file that describes the target."),
    click.option("--target-key", default=None, help="Key to send to the target."),
    click.option("--tokenizer", type=click.Path(path_type=Path), help="Local tokenizer directory for both sides."),
    click.option("--tokenizer-name", default=None, help="The name by which the target knows that tokenizer."),
    click.option(
        "--model", default=None, help="The model to request from the target (chat, router, live).", metavar="NAME"
    ),
    click.option(
        "--patience",
        type=Number(0, min_open=True),
        default=None,
        metavar="SECONDS",
        help="How long a silent target is waited for, also for a start request; default: as the card says.",
    ),
    click.option(
        "--wait",
        type=Number(0),
        default=0,
        metavar="SECONDS",
        help="Wait up to this time for a target that is still starting, or that lists no model yet.",
    ),
    click.option(
        "--listen",
        type=Address(),
        default="127.0.0.1:0",
        show_default=True,
        help="Where the suite's own trainer or rollout server listens.",
    ),
)


F = TypeVar("F", bound=Callable[..., None])


def target_options(command: F) -> F:
    for option in reversed(OPTIONS):
        command = option(command)
    return command
