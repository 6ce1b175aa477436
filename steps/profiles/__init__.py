"""The profiles that there are: a line each. Names are known without the import of a profile, which is made when it is asked for.

A package of somebody else adds its own by an entry point of the group `rollout_conformance.profiles`, named like the profile.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.suggestions import unknown_name

if TYPE_CHECKING:
    from rollout_conformance.steps.profiles.base import Profile

HERE = "rollout_conformance.steps.profiles"
OURS = {
    "rollout": f"{HERE}.rollout.profile:PROFILE",
    "trainer": f"{HERE}.trainer.profile:PROFILE",
    "chat": f"{HERE}.chat.profile:PROFILE",
    "router": f"{HERE}.router.profile:PROFILE",
}
GROUP = "rollout_conformance.profiles"
DEFAULT = "rollout"  # what is judged when no profile is named


class Profiles(Mapping[str, "Profile"]):
    """Profiles by name, each imported at the first look at its value."""

    def __init__(self, ours: Mapping[str, str]) -> None:
        self._ours = ours
        self._loaded: dict[str, Profile] = {}

    @cached_property
    def places(self) -> dict[str, str]:
        """`module:attribute` of each profile. Raises `SuiteError` when a package names its profile like another one."""
        places = dict(self._ours)
        for point in metadata.entry_points(group=GROUP):
            if places.setdefault(point.name, point.value) != point.value:
                raise SuiteError(
                    f"the entry point {point.name} = {point.value} of {GROUP}: there is a profile of that name already, "
                    f"{places[point.name]}. Choose another name."
                )
        return places

    def __getitem__(self, name: str) -> "Profile":
        if name not in self._loaded:
            self._loaded[name] = _imported(name, self.places[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def _imported(name: str, place: str) -> "Profile":
    module, _, attribute = place.partition(":")
    profile: Profile = getattr(import_module(module), attribute or "PROFILE")
    if profile.name != name:
        raise SuiteError(f"{place} is registered as {name}, and its profile calls itself {profile.name}.")
    return profile


PROFILES = Profiles(OURS)


def member_of_another(member: str, profile: "Profile") -> str:
    """What is said of a member of a card that the cards of other profiles have; empty for one that none has."""
    owners = [name for name in PROFILES if name != profile.name and member in PROFILES[name].card.model_fields]
    if not owners:
        return ""
    whose = " and ".join(owners)
    return f"{member!r} is a member of the cards of {whose}; this card is of the profile {profile.name}, which has no such member."


def profile_of(name: str) -> "Profile":
    """The profile of that name. Raises `SuiteError` when there is none."""
    if name not in PROFILES:
        raise SuiteError(f"--profile {name}: {unknown_name('profile', name, PROFILES)}")
    return PROFILES[name]
