"""The command line. A command is a module of its own, which is imported when the command is used: `--help` imports none.

Exit codes: 0 nothing required is broken, 1 findings, 2 could not judge (invalid input, unreachable target, nothing executed).
"""

from importlib import import_module
from pathlib import Path

import click

from rollout_conformance.steps import collector, config_file
from rollout_conformance.steps.commands.suggesting import SuggestingGroup

# Each command with its line in `--help`: the first sentence of the command's own help.
COMMANDS = {
    "run": "Judge a target by every case that applies to it, or by those in FILES and folders.",
    "smoke": "Check that the target is reachable and completes the simplest case.",
    "card": "Look at a target and write a target card for it.",
    "doctor": "Find out why the reward is zero: judge what can cause it, most likely cause first.",
    "explore": "Try orders of events that no case describes, and pairs of faults.",
    "report": "Convert a report (run.ndjson) to one HTML file.",
    "diff": "Compare the reports of two runs: what is broken, fixed, newly judged, no longer judged, slower.",
    "history": "Show how the cases of each target ended in the reports (.ndjson) of a folder: which are flaky, which broken, and since when.",
    "statement": "State what each target keeps and breaks, by requirement and dialect, bound to the REPORTS by their SHA-256.",
    "merge": "Join the REPORTS of parts of a run, such as those of --shard, to one.",
    "new": "Write the beginning of a case in YAML, of a feature or of a target card to FILE, or of a profile of your own to the folder FILE.",
    "record": "Record real traffic as scenarios: a proxy in front of a rollout server (or a chat server) writes what it sees.",
    "lint": "Check cases, phrases, catalogues and words without a target.",
    "explain": "Print what a requirement demands, its source, where it was seen broken and the cases that judge it.",
    "requirements": "List the requirements with their level and profile.",
    "vocabulary": "Print the verbs and sentences that cases are written with.",
    "mutants": "Run the suite against servers with one known defect each.",
    "serve": "Run a reference server.",
    "gallery": "Judge real servers that others wrote, and compare the findings with those that are known.",
}
PACKAGE = "rollout_conformance.steps.commands"


class LazyGroup(SuggestingGroup):
    """A group whose commands are imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        with collector.paused():
            command: click.Command = import_module(f"{PACKAGE}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rollout-conformance")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="File with options; default: rollout-conformance.toml or [tool.rollout-conformance] of pyproject.toml, in this folder.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """Judge a server at one of the HTTP seams of agentic RL: which requirements it breaks, where, and how to reproduce it."""
    wanted = ctx.invoked_subcommand
    if wanted not in config_file.COMMANDS or wanted not in COMMANDS:
        return
    read = config_file.found(Path()) if config is None else config_file.read(config)
    if read is not None:
        commands = {name: found for name in config_file.COMMANDS if (found := cli.get_command(ctx, name)) is not None}
        every = {key: one for found in commands.values() for key, one in config_file.options_of(found).items()}
        ctx.default_map = {wanted: config_file.defaults(read, commands[wanted], every)}
