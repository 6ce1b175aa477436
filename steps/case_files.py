"""Where the cases of a profile lie, and which files of a user are cases."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from rollout_conformance.steps.engine import text_file
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import OURS, PROFILES

FEATURE, SCENARIO = ".feature", ".yaml"
SCENARIOS = (SCENARIO, ".yml")
ENDINGS = (FEATURE, *SCENARIOS)
TAG = re.compile(rf"^[ \t]*@(?:.*[\s@])?(?:{'|'.join(PROFILES)})-\d+\b", re.IGNORECASE | re.MULTILINE)
CASES = re.compile(r"^cases\s*:", re.MULTILINE)
ABOUT = re.compile(rf"\brequirements[\"']?\s*:[\s\[\"'-]*(?:{'|'.join(PROFILES)})-\d+\b", re.IGNORECASE)
LIKE_ABOUT = re.compile(r"\brequirements[\"']?\s*:[\s\[\"'-]*([A-Za-z]{3,20})[-_ ]?\d{1,4}\b")
LIKE_ID = re.compile(r"@([A-Za-z]{3,20})[-_]?(\d{1,4})\b")
SIMILAR = 0.85  # `ROLOUT` is; TRAIN and WORK, which may be keys of an issue tracker, are not


def files(profile: str, root: Path = ROOT) -> list[Path]:
    """Every case file of a profile, features first, those in subfolders as well."""
    if profile in OURS:
        folders: tuple[Path, ...] = (root / "features" / profile, root / "scenarios" / profile)
    else:
        folders = PROFILES[profile].cases
    return [file for ending in ("*.feature", "*.yaml") for folder in folders for file in sorted(folder.rglob(ending))]


def is_case_file(file: Path) -> bool:
    """Whether a file says that it has cases: a feature by a tag that names a requirement, a scenario file by its `cases`."""
    pattern = {FEATURE: TAG, **dict.fromkeys(SCENARIOS, CASES)}.get(file.suffix)
    return pattern is not None and pattern.search(_text(file)) is not None


def names_requirement(file: Path) -> bool:
    """Whether a case file is surely one of the suite, in a folder where other tools may have files with `cases` as well: it says what a case
    is about, perhaps misspelled, which its author has to learn."""
    if not is_case_file(file):
        return False
    return file.suffix == FEATURE or ABOUT.search(text := _text(file)) is not None or _is_nearly_about(text)


def is_ours(file: Path) -> bool:
    """Whether a file is a case file of the suite, or its author meant it to be one and misspelled the id of a requirement."""
    return names_requirement(file) or (file.suffix == FEATURE and any(misspelled(file)))


def _is_nearly_about(text: str) -> bool:
    return any(
        difflib.get_close_matches(name.lower(), PROFILES, n=1, cutoff=SIMILAR) for name in LIKE_ABOUT.findall(text)
    )


def misspelled(file: Path) -> Iterator[str]:
    """The tags of a feature that are like the id of a requirement and are none, each with its line: `x.feature:3: @ROLOUT-112 ...`."""
    for number, line in enumerate(_text(file).splitlines(), start=1):
        for match in LIKE_ID.finditer(line) if line.lstrip().startswith("@") else ():
            meant = difflib.get_close_matches(match[1].lower(), PROFILES, n=1, cutoff=SIMILAR)
            if meant and not TAG.search(match[0]):
                yield f"{file}:{number}: the tag {match[0]} names no requirement. Did you mean @{meant[0].upper()}-{match[2]}?"


def in_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """The case files in a folder and its subfolders, and the features there that name no requirement.

    Hidden folders and installed packages are left out.
    """
    found = sorted(file for file in folder.rglob("*") if file.suffix in ENDINGS and not _is_hidden(file, folder))
    cases = [file for file in found if is_case_file(file)]
    return cases, [file for file in found if file.suffix == FEATURE and file not in cases]


def _is_hidden(file: Path, folder: Path) -> bool:
    parts = file.relative_to(folder).parts
    return "site-packages" in parts or any(part.startswith(".") for part in parts)


def _text(file: Path) -> str:
    """What a file says, as far as it can be read: in another encoding too, so that its author is told and the file is not passed over."""
    try:
        with file.open("rb") as stream:
            data = stream.read(text_file.LARGEST)
    except OSError:
        return ""
    return data.decode("utf-16" if data.startswith(text_file.UTF_16) else "utf-8", "replace")
