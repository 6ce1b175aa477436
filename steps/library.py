"""Which cases there are: the feature files and the scenario files of a profile."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from contracts.requirements import Requirement
from steps import scenario
from steps.engine.cases import Case
from steps.engine.findings import SuiteError
from steps.phrases.compile import compile_feature
from steps.running import ROOT, profile_of


def files(profile: str, root: Path = ROOT) -> list[Path]:
    """Every case file of a profile, prose first."""
    features = sorted((root / "features" / profile).rglob("*.feature"))
    return features + sorted((root / "scenarios" / profile).rglob("*.yaml"))


def load(file: Path, catalogue: Mapping[str, Requirement], root: Path = ROOT) -> list[Case]:
    if file.suffix == ".feature":
        return [case for compiled in compile_feature(file, catalogue, root) for case in compiled.cases]
    return scenario.load(file, catalogue, root)


def profile_in(file: Path) -> str:
    """The profile that a case file belongs to, told by the folder it stands in."""
    for folder in ("features", "scenarios"):
        if folder in file.parts:
            rest = file.parts[len(file.parts) - 1 - file.parts[::-1].index(folder) + 1 :]
            if len(rest) > 1:
                return rest[0]
    return "rollout"


def every(profile: str, root: Path = ROOT) -> list[Case]:
    """All cases of a profile. Raises `SuiteError` naming every file that cannot be read."""
    catalogue, cases, problems = profile_of(profile).catalogue, [], []
    for file in files(profile, root):
        try:
            cases += load(file, catalogue, root)
        except SuiteError as error:
            problems.append(str(error))
    if problems:
        raise SuiteError("\n".join(problems))
    return cases


def among(files: Iterable[Path], profile: str) -> list[Case]:
    """The cases of these files as cases of a profile, wherever they stand. Raises `SuiteError` for the first mistake."""
    catalogue = profile_of(profile).catalogue
    return [replace(case, profile=profile) for file in files for case in load(file.resolve(), catalogue)]


def chosen(cases: Iterable[Case], patterns: Iterable[str]) -> Iterator[Case]:
    """Cases whose name, id, file or requirement matches one of the patterns; all of them without a pattern."""
    patterns = tuple(patterns)
    return (case for case in cases if not patterns or any(_matches(case, pattern) for pattern in patterns))


def _matches(case: Case, pattern: str) -> bool:
    texts = (case.name, case.id, case.at.file, str(case.at), *case.requirements, *case.tags)
    return any(fnmatchcase(text, pattern) or (pattern in text and text == case.name) for text in texts)
