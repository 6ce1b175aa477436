"""What may stand for a value, read from the files that have it: no profile, no phrase and no YAML parser is imported."""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from rollout_conformance.steps.engine.author_code import GROUP
from rollout_conformance.steps.paths import CONTRACTS, ROOT, shown

REQUIREMENT = re.compile(r"^- id: (\S+)", re.MULTILINE)
YAML_NAME = re.compile(r"""^(?:- |  )name:(?: *"((?:[^"\\\n]|\\.)*)" *$| *'((?:[^'\n]|'')*)' *$|(.+))""", re.MULTILINE)
GHERKIN_NAME = re.compile(r"^[ \t]*(?:Scenario(?: Outline| Template)?|Example):(.+)", re.MULTILINE)
MUTANT = re.compile(r"\bMutant\(\s*\"(\w+)\"")
LARGEST = 4 << 20  # bytes of a file that is looked into

Table = Mapping[str, Any]


def profiles(table: Table) -> Iterator[str]:
    """Those of the suite, and those that other packages add."""
    yield from table["profiles"]
    yield from (point.name for point in metadata.entry_points(group=GROUP))


def dialects(table: Table, profile: str) -> list[str]:
    return list(table["profiles"].get(profile, {}).get("dialects", ()))


def requirements(profile: str | None = None) -> Iterator[str]:
    """The ids of all profiles, or of one."""
    for file in sorted(CONTRACTS.glob(f"{profile or '*'}/requirements.yaml")):
        yield from REQUIREMENT.findall(_text(file))


def mutants(table: Table, profile: str) -> Iterator[str]:
    """The names of the defective copies of the reference of a profile."""
    module = str(table["profiles"].get(profile, {}).get("mutants", ""))
    folder = ROOT.joinpath(*module.split(".")[1:]) if module else None
    for file in sorted(folder.glob("*.py")) if folder is not None else ():
        yield from MUTANT.findall(_text(file))


def cases(profile: str, files: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """The name of each case and its file: of the files that are named, else of those of the profile."""
    named = [file for file in files if file.suffix in (".yaml", ".yml", ".feature") and file.is_file()]
    shipped = (*ROOT.glob(f"features/{profile}/*.feature"), *ROOT.glob(f"scenarios/{profile}/*.yaml"))
    for file in named or sorted(shipped):
        place = shown(file)
        text = _text(file)
        if file.suffix == ".feature":
            yield from ((name.strip(), place) for name in GHERKIN_NAME.findall(text))
        else:
            yield from ((next(filter(None, parts), "").strip(), place) for parts in YAML_NAME.findall(text))


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(LARGEST)
    except OSError:
        return ""
