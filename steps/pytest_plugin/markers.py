"""Markers of pytest: the tags of cases, the dialects and requirements of a profile. They are registered when a profile is met."""

import pytest

from rollout_conformance.steps import catalogues
from rollout_conformance.steps.engine.markers import MARKERS

_registered = pytest.StashKey[set[str]]()


def register(config: pytest.Config, profile: str) -> None:
    """Register the markers that cases of a profile may have."""
    known = config.stash.setdefault(_registered, set())
    if not known:
        _add(config, MARKERS)
    if profile not in known:
        known.add(profile)
        catalogue = catalogues.of(profile)
        dialects = dict.fromkeys(dialect for entry in catalogue.values() for dialect in entry.dialects)
        _add(config, {dialect: f"the {dialect} dialect" for dialect in dialects})
        _add(config, {entry.id: entry.sentence for entry in catalogue.values()})


def _add(config: pytest.Config, markers: dict[str, str]) -> None:
    for name, text in markers.items():
        config.addinivalue_line("markers", f"{name}: {text}")
