"""A shipped case about a requirement, as the beginning of one of the user's own."""

from collections.abc import Iterator
from typing import Any

from rollout_conformance.steps import case_files
from rollout_conformance.steps.case_files import SCENARIOS
from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.scenario import loader
from rollout_conformance.steps.scenario.document_text import text_of


def about(requirement: str, profile: Profile, title: str) -> str | None:
    """The shortest case of a scenario file that is about a requirement before all others, under another title; None where there is none
    that can stand in a file of its own."""
    texts = (_named(case, title) for case in _cases(profile) if _first(case) == requirement)
    return next((text for text in sorted(texts, key=len) if _stands_alone(text, profile, requirement)), None)


def _cases(profile: Profile) -> Iterator[dict[str, Any]]:
    for file in case_files.files(profile.name):
        if file.suffix in SCENARIOS:
            document: Any = yaml_source.read(file).value
            yield from document["cases"]


def _first(case: dict[str, Any]) -> str:
    return str(next(iter(case["requirements"]), ""))


def _named(case: dict[str, Any], title: str) -> str:
    return text_of({"cases": [{**case, "name": title, "requirements": [_first(case)]}]})


def _stands_alone(text: str, profile: Profile, requirement: str) -> bool:
    try:
        cases = loader.compiled(yaml_source.parse(text, "a case"), profile)
    except SuiteError:
        return False
    return all(case.requirements == (requirement,) for case in cases)
