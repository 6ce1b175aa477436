"""The phrases of the profile `router`, besides those of `chat`: each says in a sentence what a YAML key says in a word, and gives the same
value.

`the engines answer 503, then say "Done."`: whichever engine is asked first answers 503; whichever is asked next says it, and so on.
"""

import re
from collections.abc import Callable
from typing import Any

from pytest_bdd import given, parsers, then, when

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.profiles.chat.phrase_modifiers import HOW, of_client
from rollout_conformance.steps.profiles.router import vocabulary
from rollout_conformance.steps.profiles.router.phrase_references import WHO, named, new, one, statuses

Actions = tuple[Action, ...]
Expectations = tuple[Expectation, ...]
Line = dict[str, Any]

DOES: tuple[tuple[str, str, Callable[[re.Match[str]], Line]], ...] = (
    (r"answer (\d{3})", "answer 503", lambda m: {"status": int(m[1])}),
    (r"break off", "break off", lambda m: {"loss": "reset"}),
    (r"are silent", "are silent", lambda m: {"loss": "stall"}),
    (r'say "([^"]*)"', 'say "Done."', lambda m: {"say": m[1]}),
    (r"say something", "say something", lambda m: {}),
)
AND_HOW: tuple[tuple[str, str, Callable[[re.Match[str]], Line]], ...] = (
    (r' with the body "([^"]*)"', ' with the body "..."', lambda m: {"body": m[1]}),
    (r" after ([\d.]+) s", " after 0.3 s", lambda m: {"delay_s": float(m[1])}),
    (r", a word every ([\d.]+) s", ", a word every 0.1 s", lambda m: {"pace_s": float(m[1])}),
    (r", without end", ", without end", lambda m: {"endless": True}),
    (r" and hold it back", " and hold it back", lambda m: {"hold": True}),
    (r" and die after (\d+) pieces", " and die after 4 pieces", lambda m: {"dies_after": int(m[1])}),
)


def _action(name: str, value: Any = None) -> Action:
    return vocabulary.ACTIONS[name](value)


def _expect(name: str, value: Any = None) -> Expectation:
    return vocabulary.EXPECTATIONS[name](value)


def _line(told: str) -> Line:
    """What the engine does that is asked next. Raises `ValueError` with what it may do."""
    line, rest = _matched(told, DOES)
    while rest:
        more, rest = _matched(rest, AND_HOW)
        line |= more
    return line


def _matched(told: str, known: tuple[tuple[str, str, Callable[[re.Match[str]], Line]], ...]) -> tuple[Line, str]:
    for pattern, _, read in known:
        if found := re.match(pattern, told):
            return read(found), told[found.end() :]
    raise ValueError(f"not understood: {told!r}. What may stand there: {' / '.join(shown for _, shown, _ in known)}")


# ------------------------------------------------------------------------------------------------ given: the engines


@given(parsers.re(r"the engines (?P<told>.+)"))
def engines(told: str) -> Action:
    return _action("engines", [_line(part) for part in re.split(r", then ", told)])


@given("the replies of the engines hold these members:")
def engines_put(docstring: str) -> Action:
    return _action("engines", [{"put": yaml_source.members(docstring)}])


# ------------------------------------------------------------------------------------------------ when


@when(parsers.re(rf"the router is asked (?P<times>\d+) times, one after the other{HOW}"))
def ask_many(times: str, how: str, before: Actions) -> Action:
    return _action("ask_many", {"times": int(times), "name": new(before), **of_client(how)})


@when(parsers.re(rf"the router is asked (?P<times>\d+) times at once{HOW}"))
def ask_together(times: str, how: str, before: Actions) -> Action:
    return _action("ask_many", {"times": int(times), "name": new(before), "together": True, **of_client(how)})


@when(parsers.re(r"(?P<seconds>[\d.]+) s have passed"))
def pause(seconds: str) -> Action:
    return _action("pause", float(seconds))


@when("an engine notices that the router has hung up")
def hung_up() -> Action:
    return _action("hung_up")


@when(parsers.re(r"an engine notices within (?P<seconds>[\d.]+) s that the router has hung up"))
def hung_up_within(seconds: str) -> Action:
    return _action("hung_up", {"within_s": float(seconds)})


# ------------------------------------------------------------------------------------------------ then: what reached the engines


@then("no engine was asked")
def no_calls() -> Expectation:
    return _expect("backend_calls", 0)


@then("the engines were asked once")
def one_call() -> Expectation:
    return _expect("backend_calls", 1)


@then(parsers.re(r"the engines were asked (?P<count>\d+) times"))
def calls(count: str) -> Expectation:
    return _expect("backend_calls", int(count))


@then(parsers.re(r"the engines were asked (?P<least>\d+) to (?P<most>\d+) times"))
def calls_between(least: str, most: str) -> Expectation:
    return _expect("backend_calls", {"least": int(least), "most": int(most)})


@then(parsers.re(r"the engines were asked (?P<count>\d+) times, both of them"))
def calls_of_both(count: str) -> Expectation:
    return _expect("backend_calls", {"least": int(count), "most": int(count), "engines": 2})


@then(parsers.re(r"the engines were asked (?P<least>\d+) to (?P<most>\d+) times, both of them"))
def calls_of_both_between(least: str, most: str) -> Expectation:
    return _expect("backend_calls", {"least": int(least), "most": int(most), "engines": 2})


@then(parsers.re(r"all that (?P<who>it|the \w+) was asked with reached the engine"))
def passed_on(who: str, before: Actions) -> Expectation:
    return _expect("passed_on", one(who, before))


@then("the engine was left")
def left() -> Expectation:
    return _expect("left")


@then("one engine got them all")
def only_engine() -> Expectation:
    return _expect("only_engine")


@then("both engines got their share")
def spread() -> Expectation:
    return _expect("spread")


# ------------------------------------------------------------------------------------------------ then: what the client got


@then(parsers.re(rf"{WHO} (?:holds|hold) these members:"))
def returned(who: str, docstring: str, before: Actions) -> Expectations:
    members = yaml_source.members(docstring)
    return tuple(_expect("returned", {"members": members, "of": name}) for name in named(who, before))


@then(parsers.re(rf'{WHO} says? "(?P<text>[^"]*)", all of it and once'))
def whole(who: str, text: str, before: Actions) -> Expectations:
    return tuple(_expect("whole", {"text": text, "of": name}) for name in named(who, before))


@then(parsers.re(rf"{WHO} (?:does|do) not look finished"))
def unfinished(who: str, before: Actions) -> Expectations:
    return tuple(_expect("unfinished", name) for name in named(who, before))


@then(parsers.re(rf'{WHO} (?:does|do) not look finished, unless all of it is "(?P<text>[^"]*)"'))
def unfinished_or_whole(who: str, text: str, before: Actions) -> Expectations:
    return tuple(_expect("unfinished", {"of": name, "or_whole": text}) for name in named(who, before))


@then(parsers.re(rf"every piece of {WHO} has what the engine gave it"))
def deltas_kept(who: str, before: Actions) -> Expectations:
    return tuple(_expect("deltas_kept", name) for name in named(who, before))


@then(parsers.re(rf"{WHO} fails?"))
def failed(who: str, before: Actions) -> Expectations:
    return tuple(_expect("failed", {"of": name}) for name in named(who, before))


@then(parsers.re(rf"{WHO} fails? with (?P<codes>\d[\d, or]+)"))
def failed_with(who: str, codes: str, before: Actions) -> Expectations:
    return tuple(_expect("failed", {"of": name, "statuses": statuses(codes)}) for name in named(who, before))


@then(parsers.re(rf"{WHO} (?:is|are) the same reply"))
def same_reply(who: str, before: Actions) -> Expectation:
    return _expect("same_reply", list(named(who, before)))


@then(parsers.re(rf"{WHO} (?:has|have) the header (?P<header>[\w-]+)"))
def header(who: str, header: str, before: Actions) -> Expectations:
    return tuple(_expect("header", {"name": header, "of": name}) for name in named(who, before))


@then(
    parsers.re(r"at most (?P<most>\d+) of (?P<who>it|the \w+) are served, and the others are told when to come again")
)
def limited(most: str, who: str, before: Actions) -> Expectation:
    return _expect("limited", {"of": one(who, before), "most": int(most)})


@then(parsers.re(r"some of (?P<who>it|the \w+) are answered (?P<codes>\d[\d, or]+), and the others 200"))
def some(who: str, codes: str, before: Actions) -> Expectation:
    return _expect("some", {"of": one(who, before), "statuses": statuses(codes)})
