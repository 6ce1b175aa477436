"""Which cases are about a requirement, read from their files without compiling them: no profile and no phrase is imported.

Only files that name the requirement are parsed. What this module finds is what compilation gives; a test compares the two.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.case_files import files
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.paths import ROOT, shown
from rollout_conformance.steps.scenario import examples

Catalogue = Mapping[str, Requirement]


@dataclass(frozen=True, slots=True)
class IndexedCase:
    name: str
    dialect: str
    at: Location


def about(requirement: str, profile: str, catalogue: Catalogue, root: Path = ROOT) -> Iterator[IndexedCase]:
    """The cases of a profile that are about a requirement, in the order of their files."""
    for file in files(profile, root):
        if requirement in file.read_text(encoding="utf-8"):
            read = _of_feature if file.suffix == ".feature" else _of_yaml
            yield from read(file, shown(file, root), requirement, catalogue)


def _of_yaml(file: Path, shown: str, requirement: str, catalogue: Catalogue) -> Iterator[IndexedCase]:
    source = yaml_source.read(file, shown)
    for n, written in enumerate(source.value["cases"]):
        if requirement in written["requirements"] or any(map(examples.PLACEHOLDER.search, written["requirements"])):
            at = source.at(("cases", n, "name"))
            for row, case in examples.rows(source, ("cases", n), written):
                if requirement in case["requirements"]:
                    for dialect in _dialects(requirement, case["requirements"], case.get("dialects", ()), catalogue):
                        yield IndexedCase(case["name"] + row, dialect, at)


def _of_feature(file: Path, shown: str, requirement: str, catalogue: Catalogue) -> Iterator[IndexedCase]:
    from gherkin.parser import Parser

    feature: Any = Parser().parse(file.read_text(encoding="utf-8-sig"))["feature"]
    known = {dialect for entry in catalogue.values() for dialect in entry.dialects}
    for scenario in _scenarios(feature["children"]):
        tags = [tag["name"].lstrip("@") for one in (scenario, feature) for tag in one["tags"]]
        if requirement in tags:
            named = [tag for tag in tags if tag in catalogue]
            at = Location(shown, scenario["location"]["line"], scenario["location"]["column"])
            for name in _names(scenario):
                for dialect in _dialects(requirement, named, [tag for tag in tags if tag in known], catalogue):
                    yield IndexedCase(name, dialect, at)


def _scenarios(children: Iterable[Any]) -> Iterator[Any]:
    for child in children:
        if "scenario" in child:
            yield child["scenario"]
        elif "rule" in child:
            yield from _scenarios(child["rule"]["children"])


def _names(scenario: Any) -> Iterator[str]:
    """The name of a scenario, or of each row of its examples."""
    tables = [table for table in scenario["examples"] if table.get("tableHeader")]
    if not tables:
        yield scenario["name"]
    for table in tables:
        columns = [cell["value"] for cell in table["tableHeader"]["cells"]]
        for row in table["tableBody"]:
            values = dict(zip(columns, (cell["value"] for cell in row["cells"]), strict=True))
            name = re.sub(r"<([^<>]+)>", lambda found, v=values: v.get(found[1], found[0]), scenario["name"])  # type: ignore[misc]
            yield name + examples.outline_suffix(scenario["name"], values)


def _dialects(requirement: str, named: Sequence[str], written: Sequence[str], catalogue: Catalogue) -> list[str]:
    """The dialects in which a case is played and about a requirement."""
    order = written or list(dict.fromkeys(dialect for name in named for dialect in catalogue[name].dialects))
    return [dialect for dialect in order if dialect in catalogue[requirement].dialects]
