"""What is wrong with the definition of a verb, for its author: each mistake with the file and line of the class."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

from rollout_conformance.steps.engine.phrase_types import TYPES
from rollout_conformance.steps.engine.suggestions import unknown_name

if TYPE_CHECKING:
    from rollout_conformance.steps.engine.verbs import Phrase, Verb

PLACEHOLDER = re.compile(r"\{(\w+)(?::(\w+))?\}")


def location_of(kind: Callable[..., object]) -> str:
    """`file:line` of a class or function; its name where it has no source file."""
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"
    except (OSError, TypeError):
        return f"{kind.__module__}.{kind.__qualname__}"


def definition_mistakes(verb: "Verb") -> Iterator[str]:
    """What can be seen without the types of the members: quick, so that it is checked whenever a profile is loaded."""
    kind = verb.kind
    if not is_dataclass(kind):
        yield f"{kind.__name__} is not a dataclass; write @dataclass(frozen=True, slots=True) directly above the class"
        return
    if not (hasattr(kind, "perform") or hasattr(kind, "judge")):
        yield f"{kind.__name__} has neither `perform` (an action) nor `judge` (an expectation); write one of them"
    if not _has_docstring(kind):
        yield f"{kind.__name__} has no docstring; write one below the class line: it is shown in the vocabulary and in editors"
    members = [one.name for one in fields(kind) if one.init]
    if verb.short and verb.short not in members:
        yield f"short: {unknown_name('member', verb.short, members)}"
    for phrase in verb.phrases:
        for mistake in _phrase_mistakes(verb, phrase, members):
            yield f"@phrase({phrase.template!r}): {mistake}"


def _has_docstring(kind: type) -> bool:
    """Whether the author wrote one: a dataclass without a docstring is given its own signature."""
    text = kind.__doc__ or ""
    return bool(text.strip()) and not text.startswith(f"{kind.__name__}(")


def _phrase_mistakes(verb: "Verb", phrase: "Phrase", members: list[str]) -> Iterator[str]:
    named = phrase.placeholders()
    takes_others = verb.before is not None  # it may turn others into those of the verb
    for member, type_name in named:
        if member not in members and not takes_others:
            yield f"{{{member}}}: {unknown_name('member', member, members)}"
        if type_name and type_name not in TYPES:
            yield f"{{{member}:{type_name}}}: {unknown_name('type', type_name, sorted(TYPES))}"
    names = [member for member, _ in named]
    for member in sorted({one for one in names if names.count(one) > 1}):
        yield f"{{{member}}} stands twice; a sentence gives each member once"
    for member in (*phrase.fixed, *filter(None, (phrase.block, phrase.table))):
        if member not in members and not takes_others:
            yield unknown_name("member", member, members)
    if re.search(r"[{}]", PLACEHOLDER.sub("", phrase.template)):
        yield "a brace is not part of a placeholder; write {member} or {member:type}"
