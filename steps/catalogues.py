"""The catalogues by profile, without the import of a profile: that takes longer than reading the file."""

import functools
from collections.abc import Mapping

from rollout_conformance.contracts.requirements import Requirement, load
from rollout_conformance.steps.paths import CONTRACTS
from rollout_conformance.steps.profiles import PROFILES


@functools.cache
def of(profile: str) -> Mapping[str, Requirement]:
    """The catalogue of a profile: from its file where the suite ships it, else from the profile itself."""
    file = CONTRACTS / profile / "requirements.yaml"
    return load(file) if file.is_file() else PROFILES[profile].catalogue


def profile_with(requirement: str) -> str | None:
    """The profile whose catalogue has a requirement. Ids begin with the name of their profile, which is looked at first."""
    prefix = requirement.rpartition("-")[0].lower()
    names = sorted(PROFILES, key=lambda name: name != prefix)
    return next((name for name in names if requirement in of(name)), None)
