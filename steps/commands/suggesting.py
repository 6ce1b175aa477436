"""A group of commands that names the command that was perhaps meant."""

import click

from rollout_conformance.steps.engine.suggestions import similar_names


class SuggestingGroup(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and (near := similar_names(name, self.list_commands(ctx))):
            ctx.fail(f"No such command {name!r}. Did you mean {' or '.join(near)}?")
        return super().resolve_command(ctx, args)
