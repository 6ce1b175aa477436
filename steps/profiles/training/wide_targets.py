"""Batches with several target tokens at each position, as a distillation from the most probable tokens of a teacher has them. Pure."""

from rollout_conformance.steps.profiles.training.accounting import Row


def widened(targets: tuple[int, ...], columns: int) -> tuple[int, ...]:
    """The targets of each position in order: the first column has the given ones, each other one those of the next position, in turn."""
    count = len(targets)
    return tuple(targets[(n + column) % count] for n in range(count) for column in range(columns))


def shaped(row: Row, columns: int, column: int) -> Row:
    """The row with its two dimensions, or one column of it in one dimension."""
    if not columns:
        return row
    if column < 0:
        return Row(row.targets, row.weights, columns=columns)
    return Row(row.targets[column::columns], row.weights[column::columns])
