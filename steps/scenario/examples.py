"""The rows of a case in YAML: `<column>` stands for the value of a column, as in an outline of Gherkin."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.yaml_source import Path_, Source
from rollout_conformance.steps.scenario.repeated_text import written_out

PLACEHOLDER = re.compile(r"<(\w+)>")
LONGEST = 40  # characters of a value in the name of a row, where another value is shorter


def rows(source: Source, path: Path_, written: Any) -> Iterator[tuple[str, Any]]:
    """What is appended to the name of the case, and the case with the values of a row; the case itself where it has no rows.

    Repeated texts are written out. Raises `SuiteError` for rows that differ in their columns, two equal rows, a placeholder without a column,
    and a repeated text that is too long.
    """
    written = written_out(source, path, written)
    table = written.get("examples") if isinstance(written, Mapping) else None
    if not isinstance(table, list) or not table or not all(isinstance(row, Mapping) for row in table):
        yield "", written  # what is no table is told with all else that is wrong with the case
        return
    case = {key: value for key, value in written.items() if key != "examples"}
    titled = set(PLACEHOLDER.findall(str(case.get("name", ""))))
    seen: dict[tuple[str, ...], int] = {}
    for n, row in enumerate(table):
        at = (*path, "examples", n)
        if list(row) != list(table[0]):
            told = f"this row has the columns {', '.join(map(str, row))}; the first has {', '.join(map(str, table[0]))}"
            raise source.problem(at, told)
        name = _name(row)
        title = tuple(str(row[column]) for column in row if column in titled)
        if (name, *title) in seen:
            raise source.problem(at, f"this row equals row {seen[name, *title] + 1}; take one of them out")
        seen[name, *title] = n
        yield _suffix(row, titled), _filled(source, path, case, row)


def outline_suffix(title: str, row: Mapping[str, str]) -> str:
    """What is appended to the title of an outline: the values of a row that the title does not have."""
    values = [value for column, value in row.items() if f"<{column}>" not in title]
    return f"[{'-'.join(values)}]" if values else ""


def _suffix(row: Mapping[str, object], titled: set[str]) -> str:
    """The values of a row that its title does not have; none where the title names the row and they are long."""
    rest = {column: value for column, value in row.items() if column not in titled}
    named = len(rest) < len(row) and not any(map(_is_plain, rest.values()))
    return f"[{_name(rest)}]" if rest and not named else ""


def _filled(source: Source, path: Path_, value: object, row: Mapping[str, object]) -> object:
    if isinstance(value, Mapping):
        return {key: _filled(source, (*path, key), inner, row) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(source, (*path, n), inner, row) for n, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    for column in PLACEHOLDER.findall(value):
        if column not in row:
            raise source.problem(
                path, f"{unknown_name('column', column, list(map(str, row)))} `examples` has no such column"
            )
    whole = PLACEHOLDER.fullmatch(value)
    return row[whole[1]] if whole else PLACEHOLDER.sub(lambda found: str(row[found[1]]), value)


def _name(row: Mapping[str, object]) -> str:
    """The values of a row, without the objects and the long texts in it where another column names the row."""
    plain = [value for value in row.values() if _is_plain(value)]
    return "-".join(map(_shown, plain or row.values()))


def _is_plain(value: object) -> bool:
    return not _holds_objects(value) and len(str(value)) <= LONGEST


def _shown(value: object) -> str:
    """A name is one line that can be typed again: what cannot be seen is written with escapes."""
    text = str(value)
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _holds_objects(value: object) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(map(_holds_objects, value)))
