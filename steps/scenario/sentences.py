"""The sentences of Gherkin that a profile knows: those of its verbs, those of its own Python functions, and those of the user.

All are steps of pytest-bdd. They are looked up once here, because its own lookup is most of its run time.
"""

import functools
import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_bdd import given, parsers, then, when
from pytest_bdd.steps import StepFunctionContext, step_function_context_registry

from rollout_conformance.steps.engine import below_sentence, yaml_source
from rollout_conformance.steps.engine.phrase_types import TYPES
from rollout_conformance.steps.engine.verb_parsing import hints
from rollout_conformance.steps.engine.verbs import BLOCK, TABLE, Phrase, Verb
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.scenario import example_sentences

KEYWORDS: Mapping[str, Callable[..., Any]] = {"given": given, "when": when, "then": then}
PROFILE = "__profile__"  # on the function of a sentence: the one profile that it belongs to

_MARKERS: list[Callable[..., Any]] = []  # of the sentences of verbs: pytest-bdd holds them weakly, and no module does
Found = tuple[StepFunctionContext, dict[str, object], tuple[str, ...]]


@functools.cache
def register(name: str) -> frozenset[str]:
    """Make the sentences of a profile steps of pytest-bdd; gives the modules that its Python functions are from."""
    profile = PROFILES[name]
    for verb in profile.vocabulary:
        for phrase in verb.phrases:
            _register(profile, verb, phrase)
    return frozenset(importlib.import_module(module).__name__ for module in profile.phrases)


def _register(profile: Profile, verb: Verb, phrase: Phrase) -> None:
    below = [name for name, member in ((BLOCK, phrase.block), (TABLE, phrase.table)) if member]
    names = [*(member for member, _ in phrase.placeholders()), *below]

    def step(**said: Any) -> Any:
        block = _block(verb, phrase, said[BLOCK]) if phrase.block else None
        return verb.from_phrase(phrase, {k: v for k, v in said.items() if k not in below}, block, said.get(TABLE))

    step.__name__ = f"{verb.name}: {phrase.template}"
    step.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    )
    setattr(step, PROFILE, profile.name)
    below_sentence.below(example_sentences.below(verb, phrase))(step)
    keyword = phrase.keyword or ("when" if verb.is_action else "then")
    KEYWORDS[keyword](parsers.re(verb.pattern(phrase)))(step)
    _MARKERS.extend(marker for marker, one in step_function_context_registry.items() if one.step_func is step)


def _block(verb: Verb, phrase: Phrase, text: str) -> Any:
    """The value of a text block: the text itself for a member that is a text, else YAML."""
    return text if hints(verb.kind).get(phrase.block) is str else yaml_source.parse(text, yaml_source.BLOCK).value


@functools.cache
def look_up(kind: str, text: str, profile: str) -> list[Found]:
    """Every sentence of a profile that fits, with its arguments and the names of its parameters."""
    found = []
    for context in _known(kind, PROFILES[profile]):
        if context.parser.is_matching(text):
            said = context.parser.parse_arguments(text) or {}
            arguments = {k: context.converters[k](v) if k in context.converters else v for k, v in said.items()}
            found.append((context, arguments, tuple(inspect.signature(context.step_func).parameters)))
    return found


def _known(kind: str | None, profile: Profile) -> list[StepFunctionContext]:
    """The sentences of a profile, and those that a user wrote. One sentence may mean something else in another profile."""
    register(profile.name)
    return _selected(kind, profile.name, len(step_function_context_registry))


@functools.cache
def _selected(kind: str | None, profile: str, registered: int) -> list[StepFunctionContext]:
    """The same, of so many sentences that are registered: more of them come when a user's module is imported."""
    return [
        context
        for context in step_function_context_registry.values()
        if getattr(context.step_func, PROFILE, profile) == profile
        and _is_known_to(profile, context.step_func.__module__)
        and context.type in (None, kind or context.type)
    ]


@functools.cache
def _is_known_to(profile: str, module: str) -> bool:
    """Whether the sentences of a module are of this profile or of a user: not of the package of another profile."""
    if module in register(profile):
        return True
    packages = {PROFILES.package(name) for name in PROFILES}
    owner = max((one for one in packages if f"{module}.".startswith(f"{one}.")), key=len, default=None)
    return owner in (None, PROFILES.package(profile))


def shown(kind: str | None, profile: Profile) -> list[str]:
    """The sentences of a kind, with their parameters in angle brackets."""
    return [_readable(context.parser.name) for context in _known(kind, profile)]


def of_functions(profile: Profile) -> list[tuple[str, str, str]]:
    """The sentences of a profile's Python functions: (keyword, sentence, example of what stands below it)."""
    modules = register(profile.name)
    found = [one for one in _known(None, profile) if one.step_func.__module__ in modules]
    found.sort(key=lambda one: profile.phrases.index(one.step_func.__module__))  # whichever was imported first
    example = below_sentence.example_below
    return [(str(one.type), _readable(one.parser.name), example(one.step_func)) for one in found]


def _readable(pattern: str) -> str:
    """A pattern as a reader needs it: `<name>` for a named group, `[text]` for what may be left out."""
    shown, at = "", 0
    while at < len(pattern):
        named = re.compile(r"\(\?P<(\w+)>").match(pattern, at)
        if named is not None:
            end = _end_of_group(pattern, at)
            quote = '"' if pattern[named.end() : end - 1] == TYPES["text"].pattern else ""
            shown, at = f"{shown}{quote}<{named[1]}>{quote}", end
        elif pattern[at] == "(":
            end = _end_of_group(pattern, at)
            inner = _readable(pattern[at + 1 : end - 1].removeprefix("?:"))
            optional = pattern[end : end + 1] == "?"
            shown, at = shown + (f"[{inner}]" if optional else inner), end + optional
        else:
            at += pattern[at] == "\\"
            shown, at = shown + pattern[at : at + 1], at + 1
    return shown


def _end_of_group(pattern: str, at: int) -> int:
    """The place behind the bracket that closes the one at `at`."""
    depth = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        depth += {"(": 1, ")": -1}.get(pattern[at : at + 1], 0)
        at += 1
        if depth == 0:
            break
    return at
