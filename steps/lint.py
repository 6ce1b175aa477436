"""Checks that need no target: the cases compile, every requirement that can be judged is, and names what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rollout_conformance.steps import case_catalog, catalogues, prose
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.paths import ROOT, shown
from rollout_conformance.steps.plain_words import banned
from rollout_conformance.steps.profiles import profile_of
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.run_setup import RunOptions, card_of

# The files whose prose is in plain words, and stays so. Others are added as they are rewritten: features/*/*.feature, README.md, ...
PLAIN = (
    "contracts/*/requirements.yaml",
    "contracts/*/reports.yaml",
    "contracts/*/openapi*.yaml",
    "scenarios/*/README.md",
    "CHANGELOG.md",
    "README.md",
    "docs/[!grv]*.md",  # the pages that are generated have the words of what they are generated from
    "docs/verdicts.md",
)


def words(root: Path = ROOT) -> list[str]:
    """Every banned word in the files that are in plain words, a line each, with what to write instead."""
    return [
        f"{file.relative_to(root)}:{passage.line_of(one.at)}: {one.phrase!r} is not plain; write: {one.write}"
        for pattern in PLAIN
        for file in sorted(root.glob(pattern))
        for passage in prose.passages(file)
        for one in banned(passage.text)
    ]


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of the check of some files: their cases by profile, and what is wrong, a line each."""

    cases: Mapping[str, list[Case]]
    problems: list[str]


def of_profiles(profiles: Iterable[Profile]) -> Checked:
    """The shipped cases and the catalogues of these profiles."""
    cases: dict[str, list[Case]] = {}
    problems: list[str] = []
    for profile in profiles:
        cases[profile.name], found = _of_profile(profile)
        problems += found
    return Checked(cases, problems)


def problems(profile: Profile) -> list[str]:
    """Everything that is wrong with the cases and the catalogue of a profile, a line each."""
    return _of_profile(profile)[1]


def _of_profile(profile: Profile) -> tuple[list[Case], list[str]]:
    try:
        cases = case_catalog.every(profile.name)
        case_catalog.known_variants(cases, profile, cards.load(profile.reference.card, profile.card))
    except SuiteError as error:
        return [], str(error).splitlines()
    return cases, [
        *profile.vocabulary.type_mistakes(),
        *_twice(cases),
        *_uncovered(profile.name, cases),
        *_misjudged(profile.name, cases),
    ]


def of_files(paths: Iterable[Path], profile: Profile | None, card: Path | None) -> Checked:
    """The cases of these files and folders, each as of `profile` or of the one that it is about."""
    found = ErrorCollector()
    cases: dict[str, list[Case]] = {}
    for file in found.attempt(lambda: case_catalog.within(paths)) or ():
        mine = profile or found.attempt(lambda f=file: case_catalog.profile_in(f.resolve()))  # type: ignore[misc]
        if mine is not None:
            checked = found.attempt(lambda f=file, p=mine: _checked(f, p, card, profile is None))  # type: ignore[misc]
            cases.setdefault(mine.name, []).extend(checked or ())
    return Checked(cases, "\n".join(found.messages).splitlines())


def remarks(checked: Checked) -> list[str]:
    """Cases that may pass on a target which breaks what they are about: it is decided on a variant, and they are played on none."""
    found = {
        f"{case.at}: {name} is decided on the variant `{need}` of the target, and this case is played on none. Without `variant: {need}` it "
        "may pass on a target that breaks the requirement."
        for profile, cases in checked.cases.items()
        for case in cases
        for name in case.requirements[:1]
        for need in profile_of(profile).catalogue[name].needs
        if not case.variant and catalogues.is_variant(profile, need)
    }
    return sorted(found)


def _checked(file: Path, profile: Profile, card: Path | None, found_out: bool) -> list[Case]:
    cases = case_catalog.among([file], profile, found_out=found_out)
    case_catalog.known_variants(cases, profile, card_of(RunOptions(profile.name, card=card), profile))
    return cases


def _twice(cases: list[Case]) -> list[str]:
    seen: dict[tuple[str, str], Case] = {}
    found = []
    for case in cases:
        other = seen.setdefault((case.name, case.dialect), case)
        if other is not case:
            found.append(f"{case.at}: the name {case.name!r} is taken by {other.at}; --case could not tell them apart")
    return found


def _uncovered(profile: str, cases: list[Case]) -> list[str]:
    judged = {(name, case.dialect) for case in cases for name in case.requirements}
    return [
        f"{_file_of(profile)}: {entry.id} ({entry.level.upper()}) has no case in dialect {dialect}"
        for entry in profile_of(profile).catalogue.values()
        if entry.not_judged is None and entry.level == "must" and not entry.fuzzed
        for dialect in entry.dialects
        if (entry.id, dialect) not in judged
    ]


def _file_of(profile: str) -> str:
    """The catalogue of a profile, from the root of the suite where it is in it."""
    return shown(profile_of(profile).contract.requirements)


def _misjudged(profile: str, cases: list[Case]) -> list[str]:
    """Where the cases and `judged_by` of the catalogue do not agree."""
    about: dict[str, Case] = {}
    for case in cases:
        for name in case.requirements:
            about.setdefault(name, case)
    file = _file_of(profile)
    found = []
    for entry in profile_of(profile).catalogue.values():
        if "case" in entry.judged_by and entry.id not in about:
            found.append(f"{file}: {entry.id}: judged_by names case, and no case is about it; write one, or not_judged")
        elif entry.id in about and not {"case", "invariant"} & set(entry.judged_by):
            says = "it is not_judged" if entry.not_judged else f"judged_by is [{', '.join(entry.judged_by)}]"
            found.append(
                f"{about[entry.id].at}: a case about {entry.id}, of which {file} says that {says}; add case there"
            )
    return found
