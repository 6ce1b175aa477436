"""`rollout-conformance card`."""

import json
from collections.abc import Iterator
from typing import Any

import click

from rollout_conformance.steps.authoring import templates
from rollout_conformance.steps.commands.target_options import target_options
from rollout_conformance.steps.engine import early_end
from rollout_conformance.steps.engine.redaction import redacted
from rollout_conformance.steps.profiles.parts import Found
from rollout_conformance.steps.run_setup import Run, RunOptions, ready


@click.command("card")
@target_options
def command(**options: Any) -> None:
    """Look at a target and write a target card for it.

    The card goes to standard output: what was found, and as comments what cannot be seen from outside.
    """
    click.echo(early_end.run(_card(RunOptions(**options))), nl=False)


async def _card(run_options: RunOptions) -> str:
    async with ready(run_options) as run:
        return "".join(f"{line}\n" for line in lines(run))


def lines(run: Run) -> Iterator[str]:
    """The card of a target that was greeted. Keys and headers that were given are not on it."""
    profile, found = run.profile, run.peers.found()
    yield f"# Target card of {_comment(run.target)}. Judge the target with:"
    yield f"# rollout-conformance run --profile {profile.name} --target TARGET --card THIS_FILE"
    members: dict[str, object] = {"dialects": list(run.dialects), **found.members}
    shown = members.pop("capabilities", [])
    for name, value in members.items():
        yield f"{name}: {json.dumps(value, ensure_ascii=False)}"
    for remark in (*run.remarks, *found.remarks):
        yield f"# {_comment(remark)}"
    yield ""
    yield "# What cannot be seen from outside. Remove the `# ` of a line that is true of the target, and write its value."
    yield from templates.members(profile.card, members)
    yield from _capabilities(found, shown)


def _capabilities(found: Found, shown: object) -> Iterator[str]:
    """The capabilities that were seen, and as comments those that the target may have."""
    names = shown if isinstance(shown, list) else []
    if names or found.possible:
        yield "capabilities:" if names else "# capabilities:"
    yield from (f"- {name}" for name in names)
    for name, text in found.possible.items():
        yield f"# - {name}  # {_comment(text)}"


def _comment(text: str) -> str:
    """A text on one line, without secrets."""
    return " ".join(redacted(text).split())
