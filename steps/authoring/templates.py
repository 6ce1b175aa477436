"""The text of a new file. Each is right as it is: `lint` accepts it, and it can be played."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.printable import UNPRINTABLE
from rollout_conformance.steps.engine.suggestions import unknown_name
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.profiles.base import Profile

FOLDER = Path(__file__).parent / "beginnings"
SUFFIXES = {"case": ".yaml", "feature": ".feature", "card": ".yaml"}
ABOUT = re.compile(r"\{about=([A-Z]+-\d+)\}")  # the requirement that a beginning is about, unless another one is named


def case(kind: str, profile: Profile, about: str | None, title: str) -> str:
    """A case in YAML or a feature. Raises `SuiteError` for a requirement that does not exist and a title that cannot stand in it."""
    file = FOLDER / f"{profile.name}{SUFFIXES[kind]}"
    if not file.is_file():
        raise SuiteError(f"--profile {profile.name}: there is no beginning of a {kind}; copy one of its own cases.")
    text = file.read_text(encoding="utf-8")
    found = ABOUT.search(text)
    wanted = about or (found[1] if found else "")
    if wanted not in profile.catalogue:
        raise SuiteError(f"--about: {unknown_name('requirement', wanted, profile.catalogue)}")
    if "::" in title or "[" in title or len(title.splitlines()) != 1 or UNPRINTABLE.search(title) or not title.strip():
        raise SuiteError(
            f"--title {title!r}: a title is one line of text without `::` and `[`, by which pytest parts an id."
        )
    shown = json.dumps(title, ensure_ascii=False) if kind == "case" else title.strip()
    return ABOUT.sub(wanted, text).replace("{title}", shown) + _demand(profile.catalogue[wanted])


def _demand(about: Requirement) -> str:
    return f"# {about.id}: {' '.join(about.sentence.split())}\n"


def card(profile: Profile) -> str:
    return "\n".join(_card(profile)) + "\n"


def _card(profile: Profile) -> Iterator[str]:
    yield f"# Target card. Judge with: rollout-conformance run --profile {profile.name} --target TARGET --card THIS_FILE"
    yield "# `rollout-conformance card --target TARGET` writes one with what it finds."
    yield f"dialects: [{', '.join(profile.dialects)}]  # remove those that the target does not have"
    yield "# Remove the `# ` of a line that is true of the target, and write its value."
    yield from members(profile.card, {"dialects": ()})
    yield "# capabilities:"
    yield from (f"# - {name}" for name in sorted(profile.needs))


def members(kind: type[Card], written: Mapping[str, object]) -> Iterator[str]:
    """The members that a card may have and this one has not, each with its default."""
    for name, member in kind.model_fields.items():
        if name not in written and name != "capabilities":
            default = member.get_default(call_default_factory=True, validated_data={})
            plain = default.model_dump(mode="json") if isinstance(default, BaseModel) else default
            yield f"# {name}: {'...' if plain is None else json.dumps(plain)}  # {member.description or ''}".rstrip()
