"""Requirements by what a user remembers of them: an id in any form, its number, or words of its text. No profile is imported."""

import re
from collections.abc import Iterator, Sequence

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps import catalogues
from rollout_conformance.steps.engine.suggestions import near_texts, similar_names

NARROW = 60  # columns


def every(profile: str | None = None) -> list[Requirement]:
    """All requirements, or those of one profile."""
    names = [profile] if profile is not None else catalogues.readable()
    return [one for name in names for one in catalogues.of(name).values()]


def meant(text: str, among: Sequence[Requirement]) -> list[Requirement]:
    """The requirements that are meant: `ROLLOUT-084`, `rollout-84`, `84`, or words that all stand in the id, sentence, reason or topic."""
    number = re.fullmatch(r"(?:([A-Za-z_-]+?)-?)?0*(\d+)", text.strip())
    if number is not None:
        return [one for one in among if _is(one, (number[1] or "").upper(), int(number[2]))]
    words = text.casefold().split()
    return [one for one in among if all(word in _text(one) for word in words)]


def _is(one: Requirement, prefix: str, number: int) -> bool:
    own, _, digits = one.id.rpartition("-")
    return int(digits) == number and prefix in ("", own)


def _text(one: Requirement) -> str:
    return " ".join((one.id, one.sentence, one.why or "", one.topic)).casefold()


def near(text: str, among: Sequence[Requirement]) -> str:
    """What to show where nothing is meant: ids and requirements with similar words, or what an id looks like."""
    ids = similar_names(text, [one.id for one in among], 0.8)
    texts = near_texts(text, (f"{one.id}  {one.sentence}" for one in among)) if not ids else []
    if ids:
        return f"Near it: {', '.join(ids)}."
    return "Near it:" + "".join(f"\n  {line}" for line in texts) if texts else f"Ids look like {among[0].id}."


def lines(found: Sequence[Requirement], width: int | None = None) -> Iterator[str]:
    """One line each, cut to `width` characters: id, level, profile, sentence. Where too little of a sentence would be left, it is whole."""
    width = width if width is not None and width >= NARROW else None
    longest = max((len(one.id) for one in found), default=0)
    for one in found:
        profile = one.id.rpartition("-")[0].lower()
        line = f"{one.id:<{longest}}  {one.level.upper():<6}  {profile:<8}  {' '.join(one.sentence.split())}"
        yield line if width is None or len(line) <= width else f"{line[: width - 3]}..."
