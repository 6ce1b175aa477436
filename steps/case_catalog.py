"""Which cases there are: the feature files and the scenario files of a profile, or those that a user names."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rollout_conformance.steps.case_files import ENDINGS, in_folder, misspelled
from rollout_conformance.steps.case_files import files as files
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine import text_file, yaml_source
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.paths import ROOT, shown
from rollout_conformance.steps.profiles import DEFAULT, PROFILES, profile_of
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.scenario import loader
from rollout_conformance.steps.scenario.gherkin import compile_feature

FOLDERS = ("features", "scenarios")
ENDED = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
IDENTIFIER = re.compile(rf"\b({'|'.join(PROFILES)})-\d+\b", re.IGNORECASE)


def within(paths: Iterable[Path]) -> list[Path]:
    """These files, and the case files in these folders. Raises `SuiteError` for a folder without any."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += _in_folder(path)
        elif path.suffix in ENDINGS:
            found.append(path)
        else:
            raise SuiteError(f"{path}: a case file ends in {ENDED}")
    return found


def _in_folder(folder: Path) -> list[Path]:
    cases, others = in_folder(folder)
    if cases:
        return cases
    if near := [line for file in others for line in misspelled(file)]:
        raise SuiteError("\n".join(near))
    if others:
        raise SuiteError(
            f"{folder}: none of its {len(others)} feature(s) names a requirement, so they are left to other tools. Tag a scenario with "
            f"what it is about, as @{DEFAULT.upper()}-112, or name the file and its --profile."
        )
    raise SuiteError(f"{folder}: no case file there; they end in {ENDED}, name requirements in tags or have `cases`")


def left_out(paths: Iterable[Path]) -> list[Path]:
    """The features in these folders that name no requirement: they are those of other tools, or their author forgot the tag."""
    return [file for path in paths if path.is_dir() for file in in_folder(path)[1]]


def load(file: Path, profile: Profile, root: Path = ROOT, folder: Path | None = None) -> list[Case]:
    """The cases of a file as those of a profile; a file of a user is named from `folder`, by default the working directory. Raises
    `SuiteError` that lists every mistake with its place."""
    if file.suffix == ".feature":
        return [case for compiled in compile_feature(file, profile, root, folder) for case in compiled.cases]
    return loader.load(file, profile, root, folder)


def profile_in(file: Path) -> Profile:
    """The profile that a case file is about: that of our own folders, else that of the requirements it names, else of its folder.

    Raises `SuiteError` when it names requirements of several.
    """
    for folder in FOLDERS:
        if file.is_relative_to(ROOT / folder):
            return profile_of(file.relative_to(ROOT / folder).parts[0])
    named = _named(file)
    if len(named) > 1:
        both = " and ".join(f"{name} ({given})" for name, given in named.items())
        raise SuiteError(
            f"{shown(file)}:1:1: the file names requirements of several profiles: {both}. One file is about one profile."
        )
    if named:
        return PROFILES[next(iter(named))]
    folder = next((part for part in reversed(file.parts[:-1]) if part in PROFILES), DEFAULT)
    return PROFILES[folder]


def _named(file: Path) -> dict[str, str]:
    """The profiles whose requirements a file is about, with the first of each."""
    try:
        said = " ".join(_identifiers(file))
    except (SuiteError, OSError):
        return {}  # what cannot be read is told when it is loaded
    found: dict[str, str] = {}
    for match in IDENTIFIER.finditer(said):
        found.setdefault(match[1].lower(), match[0])
    return found


def _identifiers(file: Path) -> Iterator[str]:
    if file.suffix == ".feature":
        yield from (line for line in text_file.read(file, str(file)).splitlines() if line.strip().startswith("@"))
        return
    value = yaml_source.read(file).value
    cases = value.get("cases") if isinstance(value, dict) else None
    for case in cases if isinstance(cases, list) else ():
        yield str(case.get("requirements") if isinstance(case, dict) else "")


@dataclass(frozen=True, slots=True)
class _Kept:
    """Cases that were read, and of what: they are read again where a file of theirs has changed since."""

    profile: Profile
    stamps: tuple[tuple[Path, int, int], ...]
    cases: tuple[Case, ...]


_KEPT: dict[tuple[str, Path], _Kept] = {}


def every(profile: str, root: Path = ROOT) -> list[Case]:
    """All cases of a profile, read once while its files stay as they are: a matrix of mutants plays them a hundred times. Raises `SuiteError`
    naming every file that cannot be read."""
    of, listed = profile_of(profile), files(profile, root)
    stamps = tuple(_stamps(listed))
    kept = _KEPT.get((profile, root))
    if kept is None or kept.profile is not of or kept.stamps != stamps:
        kept = _KEPT[profile, root] = _Kept(of, stamps, tuple(among(listed, of, root)))
    return [*kept.cases]


def _stamps(listed: Iterable[Path]) -> Iterator[tuple[Path, int, int]]:
    """When each file beside the cases was changed, and its size: a case may refer to another one for a body."""
    for folder in sorted({file.parent for file in listed}):
        for entry in sorted(folder.iterdir()):
            if entry.is_file():
                found = entry.stat()
                yield entry, found.st_mtime_ns, found.st_size


def among(
    files: Iterable[Path], profile: Profile, root: Path = ROOT, found_out: bool = False, folder: Path | None = None
) -> list[Case]:
    """The cases of these files as cases of a profile, wherever they stand. Raises `SuiteError` that lists every mistake.

    `found_out` when the user named no profile: then the message says why the files are read so.
    """
    problems = ErrorCollector()
    cases: list[Case] = []
    for file in files:
        try:
            cases += load(file.resolve(), profile, root, folder)
        except SuiteError as error:
            named = _named(file).get(profile.name) if found_out and profile.name != DEFAULT else None
            why = f"\n{file}: is read as cases of profile {profile.name}, because it names {named}" if named else ""
            problems.add(f"{error}{why}")
    problems.conclude()
    return cases


def profile_among(files: Iterable[Path]) -> Profile:
    """The one profile that all of these files are about. Raises `SuiteError` when they are about several."""
    found: dict[str, Path] = {}
    for file in files:
        found.setdefault(profile_in(file.resolve()).name, file)
    if len(found) > 1:
        both = ", ".join(f"{file} is about profile {name}" for name, file in found.items())
        raise SuiteError(f"{both}. A run judges one target: name the files of one profile.")
    return PROFILES[next(iter(found), DEFAULT)]


def known_variants(cases: Iterable[Case], profile: Profile, card: Card) -> None:
    """Raises `SuiteError` for cases of a variant that neither this card has nor that of the reference."""
    variants = [*cards.load(profile.reference.card, profile.card).variants, *card.variants]
    problems = ErrorCollector()
    for case in cases:
        if case.variant and case.variant not in variants:
            told = unknown_name("variant", case.variant, dict.fromkeys(variants))
            problems.add(str(case.at.problem(f"{told} A card (--card) may declare others.")))
    problems.conclude()
