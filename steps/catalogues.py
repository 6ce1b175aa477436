"""The catalogues by profile, without the import of a profile: that takes longer than reading the file."""

import functools
import re
from collections.abc import Iterator, Mapping

from rollout_conformance.contracts.requirements import Requirement, load
from rollout_conformance.contracts.requirements import capabilities as load_capabilities
from rollout_conformance.steps.paths import CONTRACTS
from rollout_conformance.steps.profiles import PROFILES, BrokenProfile

VARIANT = re.compile("the target card (?:has|defines) a variant")


@functools.cache
def of(profile: str) -> Mapping[str, Requirement]:
    """The catalogue of a profile: from its file where the suite ships it, else from the profile itself."""
    file = CONTRACTS / profile / "requirements.yaml"
    return load(file) if file.is_file() else PROFILES[profile].catalogue


@functools.cache
def capabilities(profile: str) -> Mapping[str, str]:
    """What a target with each capability has or does, by name; none for a profile that the suite does not ship."""
    file = CONTRACTS / profile / "requirements.yaml"
    return load_capabilities(file) if file.is_file() else {}


def is_variant(profile: str, need: str) -> bool:
    """Whether a capability is a configuration of the target under that name, on which a case has to be played."""
    return VARIANT.match(capabilities(profile).get(need, "")) is not None


def profile_with(requirement: str) -> str | None:
    """The profile whose catalogue has a requirement. Ids begin with the name of their profile, which is looked at first."""
    prefix = requirement.rpartition("-")[0].lower()
    names = sorted(PROFILES, key=lambda name: name != prefix)
    return next((name for name in names if _has(name, requirement)), None)


def readable() -> Iterator[str]:
    """The profiles whose catalogue can be read: all but those of other packages that cannot be loaded."""
    return (name for name in PROFILES if _has(name, "") is not None)


def _has(profile: str, requirement: str) -> bool | None:
    """Whether a catalogue has a requirement; None where it cannot be read."""
    try:
        return requirement in of(profile)
    except BrokenProfile:
        return None
