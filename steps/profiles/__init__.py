"""The profiles that there are: a line each. Names are known without the import of a profile, which is made when it is asked for.

Another package adds its own by an entry point of the group `rollout_conformance.profiles`, named like the profile. One that cannot be
loaded fails when it is asked for by name, and never the others.
"""

import traceback
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from rollout_conformance.steps.engine.author_code import GROUP
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
    "training": f"{HERE}.training.profile:PROFILE",
    "worker": f"{HERE}.worker.profile:PROFILE",
}
DEFAULT = "rollout"  # what is judged when no profile is named


class BrokenProfile(SuiteError):
    """A profile of another package that cannot be loaded."""


class Profiles(Mapping[str, "Profile"]):
    """Profiles by name, each imported at the first look at its value."""

    def __init__(self, ours: Mapping[str, str]) -> None:
        self._ours = ours
        self._loaded: dict[str, Profile] = {}

    @cached_property
    def _points(self) -> tuple[dict[str, str], tuple[str, ...]]:
        places, problems = dict(self._ours), []
        for point in metadata.entry_points(group=GROUP):
            if places.setdefault(point.name, point.value) != point.value:
                problems.append(
                    f"the entry point {point.name} = {point.value} of {GROUP} is ignored: there is a profile of that name already, "
                    f"{places[point.name]}. Choose another name."
                )
        return places, tuple(problems)

    @property
    def places(self) -> dict[str, str]:
        """`module:attribute` of each profile."""
        return self._points[0]

    def package(self, name: str) -> str:
        """The package that the modules of a profile are in."""
        module = self.places[name].partition(":")[0]
        return module.rpartition(".")[0] or module

    def working(self) -> Iterator["Profile"]:
        """Every profile that can be loaded."""
        for name in self:
            try:
                yield self[name]
            except BrokenProfile:
                continue

    def get_working(self, name: str) -> "Profile | None":
        """The profile of that name, if there is one and it can be loaded. No other one is."""
        try:
            return self.get(name)
        except BrokenProfile:
            return None

    def problems(self) -> Iterator[str]:
        """What is wrong with the profiles of other packages, a line or more for each. All of them are loaded."""
        yield from self._points[1]
        for name in self:
            try:
                self[name]
            except BrokenProfile as error:
                yield str(error)

    def __getitem__(self, name: str) -> "Profile":
        if name not in self._loaded:
            place = self.places[name]
            self._loaded[name] = _imported(name, place) if name in self._ours else _imported_from_others(name, place)
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
    if not hasattr(profile, "catalogue"):
        raise SuiteError(f"{place} is not a Profile but {type(profile).__name__}.")
    if profile.name != name:
        raise SuiteError(f"{place} is registered as {name}, and its profile calls itself {profile.name}.")
    return profile


def _imported_from_others(name: str, place: str) -> "Profile":
    """The same, of a package that may be wrong in any way. Raises `BrokenProfile` with the place of the mistake."""
    try:
        return _imported(name, place)
    except Exception as error:
        from rollout_conformance.contracts.requirements import CatalogueError  # what is imported with it takes long

        kind = "" if isinstance(error, SuiteError | CatalogueError) else f"{type(error).__name__}: "
        told = f"{kind}{error}{'' if not kind else _line_of(error)}"
        raise BrokenProfile(f"profile {name} ({place}) cannot be loaded: {told}") from error


def _line_of(error: Exception) -> str:
    """Where an error arose in the code of another package; empty where none of it ran."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [one for one in frames if not one.filename.startswith("<") and one.filename not in (__file__, _IMPORTLIB)]
    return f", at {theirs[-1].filename}:{theirs[-1].lineno}" if theirs else ""


_IMPORTLIB = import_module.__code__.co_filename
PROFILES = Profiles(OURS)


def member_of_another(member: str, profile: "Profile") -> str:
    """What is said of a member of a card that the cards of other profiles have; empty for one that none has."""
    owners = [name for name in PROFILES if name != profile.name and member in PROFILES[name].card.model_fields]
    if not owners:
        return ""
    whose = " and ".join(part for part in (", ".join(owners[:-1]), owners[-1]) if part)
    return f"{member!r} is a member of the cards of {whose}; this card is of the profile {profile.name}, which has no such member."


def profile_of(name: str) -> "Profile":
    """The profile of that name. Raises `SuiteError` when there is none."""
    if name not in PROFILES:
        raise SuiteError(f"--profile {name}: {unknown_name('profile', name, PROFILES)}")
    return PROFILES[name]
