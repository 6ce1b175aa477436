"""The phrases of the profile `router` about operating one: crowds, conversations, engines that go and come, keys, numbers, headers.

Each says in a sentence what a YAML key says in a word, and gives the same value.
"""

from typing import Any

from pytest_bdd import parsers, then, when

from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.engine.phrase_types import words
from rollout_conformance.steps.profiles.router import vocabulary
from rollout_conformance.steps.profiles.router.phrase_references import WHO, named, new, one, statuses

Actions = tuple[Action, ...]
Expectations = tuple[Expectation, ...]


def _action(name: str, value: Any = None) -> Action:
    return vocabulary.ACTIONS[name](value)


def _expect(name: str, value: Any = None) -> Expectation:
    return vocabulary.EXPECTATIONS[name](value)


# ------------------------------------------------------------------------------------------------ when: crowds and conversations


@when(parsers.re(r"(?P<times>\d+) clients ask at once(?P<stream> for a stream)?"))
def crowd(times: str, stream: str | None, before: Actions) -> Action:
    return _action("crowd", {"times": int(times), "name": new(before), "stream": bool(stream)})


@when("the engines answer what they hold")
def let_go() -> Action:
    return _action("let_go")


@when(parsers.re(r"(?P<times>\d+) clients ask at once, until all of them are with an engine"))
def refill(times: str, before: Actions) -> Action:
    return _action("refill", {"times": int(times), "name": new(before)})


@when("a client does not read its stream, and another one asks")
def dawdle(before: Actions) -> Action:
    return _action("dawdle", {"name": "slow", "other": new(before)})


@when(
    parsers.re(
        r"(?P<times>\d+) conversations? of (?P<turns>\d+) turns? (?:is|are) held(?:, with the same (?P<alike>\d+) letters at the beginning)?"
    )
)
def converse(times: str, turns: str, alike: str | None, before: Actions) -> Action:
    wanted = {"times": int(times), "turns": int(turns), "alike": int(alike or 0)}
    return _action("converse", {**wanted, "name": new(before)})


# ------------------------------------------------------------------------------------------------ when: engines, keys, the router


@when("the engine that was asked last dies")
def last_dies() -> Action:
    return _action("last_dies")


@when(parsers.re(r"the engines? (?P<names>[a-d](?: and [a-d])?) (?:is|are) down"))
def engines_down(names: str) -> Action:
    return _action("engines_down", words(names))


@when("all engines are up")
def engines_up() -> Action:
    return _action("engines_down", [])


@when(parsers.re(r"it is waited until GET (?P<path>/\S*) is answered (?P<codes>\d[\d, or]+)"))
def awaited(path: str, codes: str, before: Actions) -> Action:
    return _action("await", {"path": path, "statuses": statuses(codes), "name": new(before)})


@when(parsers.re(r"the router is asked until engine (?P<engine>[a-d]) answers"))
def ask_until(engine: str, before: Actions) -> Action:
    return _action("ask_until", {"engine": engine, "name": new(before)})


@when("the router is stopped")
def stop() -> Action:
    return _action("stop")


@when(parsers.re(r"a key for (?P<scopes>[a-z]+(?: and [a-z]+)*) is made(?P<expired>, which has expired)?"))
def make_key(scopes: str, expired: str | None) -> Action:
    return _action("make_key", {"scopes": words(scopes), **({"expires_at": 1_000_000_000} if expired else {})})


@when("that key is taken back")
def revoke() -> Action:
    return _action("revoke")


@when("the router is asked with that key")
def ask_with(before: Actions) -> Action:
    return _action("ask_with", {"name": new(before)})


@when(parsers.re(r"the router is asked with (?P<how>the right|a wrong) signature"))
def signed(how: str, before: Actions) -> Action:
    return _action("signed", {"name": new(before), "wrong": how == "a wrong"})


# ------------------------------------------------------------------------------------------------ then: where requests went


@then(parsers.re(r"engine (?P<engine>[a-d]) gets about (?P<percent>\d+) % of the requests"))
def share(engine: str, percent: str) -> Expectation:
    return _expect("share", {"engine": engine, "share": int(percent) / 100})


@then(parsers.re(r"engine (?P<engine>[a-d]) is asked nothing"))
def nothing_at(engine: str) -> Expectation:
    return _expect("nothing_at", engine)


@then(parsers.re(r"engine (?P<engine>[a-d]) is asked"))
def asked(engine: str) -> Expectation:
    return _expect("asked", engine)


@then(parsers.re(rf"{WHO} (?:reaches|reach) one engine"))
def together(who: str, before: Actions) -> Expectations:
    return tuple(_expect("together", name) for name in named(who, before))


@then(parsers.re(r"(?P<who>it|the \w+) reaches another engine than (?P<other>the \w+)"))
def elsewhere(who: str, other: str, before: Actions) -> Expectation:
    return _expect("elsewhere", {"of": one(who, before), "than": one(other, before)})


@then("no other request reached an engine")
def no_strays() -> Expectation:
    return _expect("no_strays")


@then("the engine is held back while nobody reads")
def held_back() -> Expectation:
    return _expect("held_back")


@then(parsers.re(r"(?P<headers>[\w-]+(?:, [\w-]+)*(?: and [\w-]+)?) (?:does|do) not reach an engine"))
def not_passed(headers: str) -> Expectation:
    return _expect("not_passed", words(headers))


# ------------------------------------------------------------------------------------------------ then: what the client got


@then(parsers.re(rf"{WHO} lists the models (?P<models>.+)"))
def lists(who: str, models: str, before: Actions) -> Expectations:
    return tuple(_expect("lists", {"models": words(models), "of": name}) for name in named(who, before))


@then(parsers.re(r"(?P<places>\d+) of (?P<who>it|the \w+) are served, and the others are sent away at once"))
def shed(places: str, who: str, before: Actions) -> Expectation:
    return _expect("shed", {"places": int(places), "of": one(who, before)})


@then(parsers.re(rf"{WHO} (?:has|have) the id of (?:its|their) request"))
def same_id(who: str, before: Actions) -> Expectations:
    return tuple(_expect("same_id", name) for name in named(who, before))


@then(parsers.re(rf"{WHO} (?:has|have) an id that a log may hold"))
def safe_id(who: str, before: Actions) -> Expectations:
    return tuple(_expect("safe_id", name) for name in named(who, before))


@then(parsers.re(rf"{WHO} (?:has|have) the id that the engine got"))
def id_at_engine(who: str, before: Actions) -> Expectations:
    return tuple(_expect("id_at_engine", name) for name in named(who, before))


@then(parsers.re(rf"{WHO} names? the id of (?:its|their) request in the error"))
def id_in_error(who: str, before: Actions) -> Expectations:
    return tuple(_expect("id_in_error", name) for name in named(who, before))


@then(parsers.re(rf'{WHO} (?:has|have) the header (?P<header>[\w-]+) with "(?P<value>[^"]*)"'))
def header_is(who: str, header: str, value: str, before: Actions) -> Expectations:
    wanted = {"name": header, "values": [value]}
    return tuple(_expect("header_is", {**wanted, "of": name}) for name in named(who, before))


@then(parsers.re(rf"{WHO} says? how long it is and how it is packed"))
def framed(who: str, before: Actions) -> Expectations:
    return tuple(_expect("framed", name) for name in named(who, before))


@then(parsers.re(rf"{WHO} says? (?P<number>\d+) as (?P<member>[a-z_]+)"))
def member(who: str, number: str, member: str, before: Actions) -> Expectations:
    wanted = {"member": member, "one_of": [int(number)]}
    return tuple(_expect("member", {**wanted, "of": name}) for name in named(who, before))


@then(parsers.re(rf'{WHO} is one stream that says "(?P<text>[^"]*)"'))
def joined(who: str, text: str, before: Actions) -> Expectations:
    return tuple(_expect("joined", {"text": text, "of": name}) for name in named(who, before))


@then(parsers.re(r"between (?P<old>the \w+) and (?P<late>the \w+) a number rose by (?P<by>\d+)"))
def counted(old: str, late: str, by: str, before: Actions) -> Expectation:
    return _expect("counted", {"before": one(old, before), "after": one(late, before), "by": int(by)})


@then(parsers.re(r"(?P<old>the \w+), (?P<between>the \w+) and (?P<late>the \w+) count refusals apart"))
def told_apart(old: str, between: str, late: str, before: Actions) -> Expectation:
    places = {"before": old, "between": between, "after": late}
    return _expect("told_apart", {key: one(who, before) for key, who in places.items()})


@then(parsers.re(rf"{WHO} shows? nothing that a client sent"))
def discreet(who: str, before: Actions) -> Expectations:
    return tuple(_expect("discreet", name) for name in named(who, before))
