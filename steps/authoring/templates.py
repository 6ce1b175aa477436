"""The text of a new file. Each is right as it is: `lint` accepts it, and it can be played."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps import catalogues, requirement_search
from rollout_conformance.steps.authoring import example_case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.printable import UNPRINTABLE
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.profiles.base import Profile

FOLDER = Path(__file__).parent / "beginnings"
SUFFIXES = {"case": ".yaml", "feature": ".feature", "card": ".yaml"}
ABOUT = re.compile(r"\{about=([A-Z]+-\d+)\}")  # the requirement that a beginning is about, unless another one is named

OF_ANOTHER = """# The steps above show the form, and judge another requirement: write steps that judge this one.
# `rollout-conformance explain {}` lists cases that do.
"""


def case(kind: str, profile: Profile, about: str | None, title: str) -> str:
    """A case in YAML or a feature. It is about what its beginning is about; of another requirement a shipped case is the example, where there is
    one in YAML. Raises `SuiteError` for a requirement that does not exist and a title that cannot stand in it."""
    file = FOLDER / f"{profile.name}{SUFFIXES[kind]}"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = ABOUT.search(text)
    own = found[1] if found else ""
    wanted = about or own or next(iter(profile.catalogue))
    if wanted not in profile.catalogue:
        raise SuiteError(f"--about {wanted}: {_unknown(wanted, profile)}")
    if "::" in title or "[" in title or len(title.splitlines()) != 1 or UNPRINTABLE.search(title) or not title.strip():
        raise SuiteError(
            f"--title {title!r}: a title is one line of text without `::` and `[`, by which pytest parts an id."
        )
    demand = _demand(profile.catalogue[wanted])
    example = example_case.about(wanted, profile, title) if wanted != own and kind == "case" else None
    if example is not None:
        return f"# Every verb: rollout-conformance vocabulary --profile {profile.name}\n{example}{demand}"
    if not text:
        raise SuiteError(f"--profile {profile.name}: there is no beginning of a {kind}; copy one of its own cases.")
    shown = json.dumps(title, ensure_ascii=False) if kind == "case" else title.strip()
    others = OF_ANOTHER.format(wanted) if wanted != own else ""
    return ABOUT.sub(wanted, text).replace("{title}", shown) + demand + others


def _unknown(wanted: str, profile: Profile) -> str:
    other = catalogues.profile_with(wanted)
    if other is not None:
        return f"is a requirement of the profile {other}: leave --profile out."
    near = requirement_search.near(wanted, [*profile.catalogue.values()])
    return f"no such requirement of the profile {profile.name}. {near}"


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
