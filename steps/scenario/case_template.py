"""What every case has, whatever it was written in: requirements, dialects, tags, needs. Unknown names are reported here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps import catalogues
from rollout_conformance.steps.engine.cases import Case, Live, Step, is_expectation
from rollout_conformance.steps.engine.error_collector import ErrorCollector
from rollout_conformance.steps.engine.findings import Location
from rollout_conformance.steps.engine.markers import MARKERS
from rollout_conformance.steps.engine.suggestions import similar_names, unknown_name
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.base import Profile

IDENTIFIER = re.compile(r"[A-Z]+-\d+")
WORDS = ("alone", "live", "live:invariants")
PREFIXES = ("needs", "variant", "live")


def requirement(profile: Profile, name: str) -> Requirement:
    """Raises `ValueError` for an id that the catalogue does not have."""
    if name in profile.catalogue:
        return profile.catalogue[name]
    if name.upper() in profile.catalogue:
        raise ValueError(f"no requirement {name}: ids are written in capitals, as {name.upper()}")
    owner = catalogues.profile_with(name.upper())
    if owner is not None:
        raise ValueError(
            f"{name} belongs to profile {owner}, and this file is read as profile {profile.name} (--profile {owner})"
        )
    found = similar_names(name, profile.catalogue)
    if not found and (prefix := IDENTIFIER.fullmatch(name)):
        begin = prefix[0].rpartition("-")[0]
        raise ValueError(
            f"no requirement {name}: no profile with ids of {begin} is installed. Installed: {', '.join(PROFILES)}."
        )
    raise ValueError(f"no requirement {name} in the catalogue. Near it: {', '.join(found) or 'nothing'}.")


@dataclass(frozen=True, slots=True)
class CaseTemplate:
    """A case before it is one for each dialect. `places` are where its parts were written, by name; the rest is `at`."""

    profile: Profile
    name: str
    about: Sequence[Requirement]
    steps: tuple[Step, ...]
    at: Location
    dialects: Sequence[str] = ()
    tags: Sequence[str] = ()
    needs: frozenset[str] = frozenset()
    variant: str = ""
    alone: bool = False
    live: Live | None = None
    places: Mapping[str, Location] = field(default_factory=dict)

    def cases(self) -> list[Case]:
        """One for each dialect. Raises `SuiteError` with all that can be seen to be wrong before it is played."""
        problems = ErrorCollector()
        for place, told in self._mistakes():
            problems.add(str(place.problem(told)))
        problems.conclude()
        return list(self._cases())

    def wrong_names(self) -> Iterator[str]:
        """What is wrong with its dialects, needs and tags, with their places: can be said whatever else is wrong with the case."""
        for place, told in self._names():
            yield str(place.problem(told))

    def _cases(self) -> Iterator[Case]:
        needs = self.needs | {need for entry in self.about for need in entry.needs}
        tags = frozenset(self.tags)
        for dialect in self._dialects():
            about = tuple(entry.id for entry in self.about if dialect in entry.dialects)
            if about:
                members = (self.name, self.profile.name, dialect, about, self.steps, self.at)
                yield Case(*members, tags, needs, self.variant, self.alone, self.live)

    def _dialects(self) -> Sequence[str]:
        return self.dialects or list(dict.fromkeys(dialect for entry in self.about for dialect in entry.dialects))

    def _at(self, part: str) -> Location:
        return self.places.get(part, self.at)

    def _mistakes(self) -> Iterator[tuple[Location, str]]:
        yield from self._names()
        for place, told in self.profile.mistakes(self.steps):
            yield place or self.at, told
        played = [name for name in self._dialects() if any(name in entry.dialects for entry in self.about)]
        for place, told in self.profile.misplaced(self.steps, played):
            yield place or self.at, told
        yield from self._undecided()
        judged = any("invariant" in entry.judged_by for entry in self.about)
        if not judged and not any(is_expectation(step.what) for step in self.steps):
            ids = ", ".join(entry.id for entry in self.about)
            yield self.at, f"nothing is expected, and {ids} is not judged by itself. Write a Then (YAML: `expect`)"

    def _undecided(self) -> Iterator[tuple[Location, str]]:
        """What would hold whatever the target does: it is decided on a configuration that the case does not name."""
        for step in self.steps:
            variant = getattr(step.what, "decides_on", "")
            if variant and not self.variant:
                told = f"this is decided on the variant `{variant}` of the target"
                yield step.at, f"{told}: write `variant: {variant}` (in a feature the tag @variant:{variant})"

    def _names(self) -> Iterator[tuple[Location, str]]:
        for dialect in self.dialects:
            if dialect not in self.profile.dialects:
                yield self._at("dialects"), unknown_name("dialect", dialect, self.profile.dialects)
            elif self.about and not any(dialect in entry.dialects for entry in self.about):
                has = "; ".join(f"{entry.id} is one of {', '.join(entry.dialects)}" for entry in self.about)
                yield self._at("dialects"), f"no requirement of the case is one of the dialect {dialect}: {has}"
        for need in sorted(self.needs):
            if told := self.profile.unknown_capability(need):
                yield self._at("needs"), told
        for tag in self.tags:
            yield from self._tag(tag)

    def _tag(self, tag: str) -> Iterator[tuple[Location, str]]:
        """Tags are the author's own, but not such as look like a slip in one of ours."""
        known = [*MARKERS, *WORDS, *self.profile.dialects]
        word, colon, _ = tag.partition(":")
        if tag in MARKERS or tag in WORDS:
            return
        if tag in self.profile.dialects:
            yield self._at("tags"), f"{tag} is a dialect, and no tag here; write `dialects: [{tag}]`"
        elif colon:
            if word in PREFIXES or (found := similar_names(word, PREFIXES, 0.7)):
                meant = f"{word if word in PREFIXES else found[0]}:..."
                yield (
                    self._at("tags"),
                    f"unknown tag {tag!r}. Did you mean {'live:invariants' if word == 'live' else meant}?",
                )
        elif found := similar_names(tag, known, 0.75):
            yield self._at("tags"), f"unknown tag {tag!r}. Did you mean {' or '.join(found)}?"
