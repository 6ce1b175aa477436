"""Options that users of pytest type here from habit: what they are called in `run`."""

import click

HERE = {
    ("--lf", "--last-failed", "--ff", "--failed-first", "--sw", "--stepwise"): (
        "Here --case NAME plays one case again, and the rerun line of a finding has it written out"
    ),
    ("-k",): "Here --case TEXT plays the cases with a text in their name, id, file or requirements",
    ("-m",): "Here --case ROLLOUT-084 plays the cases about a requirement",
    ("-x", "--exitfirst", "--maxfail"): "Here --fail-fast ends a run at the first failure",
    ("-n", "--numprocesses"): "Here -j N bounds the cases in flight",
    ("--co", "--collect-only"): "Here --dry-run -v lists the cases",
    ("--junitxml", "--junit-xml"): "Here --junit FILE writes JUnit XML",
    ("--durations",): "Here --slowest N lists the slowest cases",
}
ANSWERS = {option: answer for options, answer in HERE.items() for option in options}


class Command(click.Command):
    """A command that knows what an option of pytest is called here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name not in ANSWERS:
                raise
            name = error.option_name
            told = (
                f"{name} is an option of pytest. {ANSWERS[name]}; or play the files with pytest: `pytest FILES {name}`."
            )
            raise click.UsageError(told, ctx) from None
