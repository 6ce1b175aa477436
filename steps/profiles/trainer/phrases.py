"""The phrases of the profile `trainer`: each says in a sentence what a YAML key says in a word, and gives the same value.

A phrase returns an action or an expectation. Before any of them, `for rollout "a", ` means that rollout of several.
"""

from collections.abc import Mapping
from typing import Any

from pytest_bdd import parsers, then, when

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.cases import Action, Expectation
from rollout_conformance.steps.profiles.trainer import vocabulary

KEYS: Mapping[str, str] = {"without a key": "none", "with another key": "wrong", "with bytes for a key": "latin"}


def _action(name: str, value: Any = None) -> Action:
    return vocabulary.ACTIONS[name](value)


def _expect(name: str, value: Any = None) -> Expectation:
    return vocabulary.EXPECTATIONS[name](value)


def _words(text: str) -> list[str]:
    return [word for part in text.split(", ") for word in part.replace(" or ", " and ").split(" and ") if word]


def _statuses(text: str) -> list[int | str]:
    return [int(word) if word.isdigit() else word for word in _words(text)]


# ------------------------------------------------------------------------------------------------ when


@when("the trainer enrolls the rollout")
def enrolled() -> Action:
    return _action("enroll")


@when(parsers.re(r"the trainer enrolls the rollout at a server with the tools? (?P<names>[\w, ]+)"))
def enrolled_with(names: str) -> Action:
    return _action("enroll", {"tools": _words(names)})


@when("the trainer enrolls the rollout at a server without tools")
def enrolled_without() -> Action:
    return _action("enroll", {"tools": []})


@when(parsers.re(r'the trainer enrolls the rollout at the server of "(?P<other>[\w-]+)"'))
def enrolled_beside(other: str) -> Action:
    return _action("enroll", {"beside": other})


@when(parsers.re(r"the trainer enrolls the rollout at a server that answers (?P<status>\d{3})"))
def enrolled_in_vain(status: str) -> Action:
    return _action("enroll", {"refuse": [int(status)], "wait": False})


@when(
    parsers.re(
        r"the trainer enrolls the rollout at a server that first answers 429 with Retry-After (?P<seconds>[\d.]+)"
    )
)
def enrolled_later(seconds: str) -> Action:
    return _action("enroll", {"refuse": [{"status": 429, "headers": {"retry-after": seconds}}]})


@when(parsers.re(r"the trainer enrolls the rollout for (?P<seconds>[\d.]+) s"))
def enrolled_for(seconds: str) -> Action:
    return _action("enroll", {"change": {"timeout_s": float(seconds) if "." in seconds else int(seconds)}})


@when(parsers.re(r"start request (?P<nth>\d+) has reached the server"))
def starts_arrive(nth: str) -> Action:
    return _action("starts_arrive", int(nth))


@when("the next turn is asked for")
def generate() -> Action:
    return _action("generate")


@when(parsers.re(r"the next turn is asked for with a (?P<how>missing|null|short|long|two|negative|text|half) mask"))
def generate_masked(how: str) -> Action:
    return _action("generate", {"mask": how})


@when(parsers.re(r"the next turn is asked for with (?:its|a) history (?P<how>rewritten|cut|back|dropped|swapped)"))
def generate_bent(how: str) -> Action:
    return _action("generate", {"history": how})


@when(parsers.re(r"the next turn is asked for with its (?P<how>arguments|reply) rewritten"))
def generate_rewritten(how: str) -> Action:
    return _action("generate", {"history": how})


@when(parsers.re(rf"the next turn is asked for (?P<how>{'|'.join(KEYS)})"))
def generate_keyless(how: str) -> Action:
    return _action("generate", {"key": KEYS[how]})


@when(parsers.re(r'the next turn is asked for with the key of "(?P<other>[\w-]+)"'))
def generate_foreign(other: str) -> Action:
    return _action("generate", {"key": f"other:{other}"})


@when(parsers.re(r'the next turn is asked for under the id "(?P<name>.+)"'))
def generate_under(name: str) -> Action:
    return _action("generate", {"under": name})


@when("the next turn is asked for with these members:")
def generate_changed(docstring: str) -> Action:
    return _action("generate", {"change": yaml_source.members(docstring)})


@when(parsers.re(r"the next turn is asked for (?P<count>\d+) times at once"))
def generate_together(count: str) -> Action:
    return _action("generate", {"together": int(count)})


@when("the same turn is asked for again")
def generate_again() -> Action:
    return _action("generate", {"retry": True})


@when("the rollout comes to its end")
def complete() -> Action:
    return _action("complete")


@when(parsers.re(r"the rollout comes to its end as (?P<status>[A-Z]+)"))
def complete_as(status: str) -> Action:
    return _action("complete", {"status": status})


@when(parsers.re(rf"its end is reported (?P<how>{'|'.join(KEYS)})"))
def complete_keyless(how: str) -> Action:
    return _action("complete", {"key": KEYS[how]})


@when("the same end is reported again")
def complete_again() -> Action:
    return _action("complete", {"again": True})


@when("its record is read")
def record() -> Action:
    return _action("record")


@when("its record is read after the end")
def record_ended() -> Action:
    return _action("record", {"ended": True})


@when(parsers.re(r'the record of "(?P<name>.+)" is read'))
def record_of(name: str) -> Action:
    return _action("record", {"under": name})


# ------------------------------------------------------------------------------------------------ then


@then(parsers.re(r"the turns? (?:is|are) answered (?P<statuses>[\dx, and]+)"))
def replies(statuses: str) -> Expectation:
    return _expect("replies", _statuses(statuses))


@then(parsers.re(r"the ends? (?:is|are) answered (?P<statuses>[\dx, and]+)"))
def acks(statuses: str) -> Expectation:
    return _expect("acks", _statuses(statuses))


@then(parsers.re(r"the ends are answered (?P<statuses>[\dx, and]+), all alike"))
def acks_alike(statuses: str) -> Expectation:
    return _expect("acks", {"statuses": _statuses(statuses), "alike": True})


@then(parsers.re(r"the record is answered (?P<status>\d{3})"))
def controlled(status: str) -> Expectation:
    return _expect("controlled", {"statuses": [int(status)], "record": True})


@then("the same turn has the same reply")
def same_replies() -> Expectation:
    return _expect("same_replies")


@then(parsers.re(r"the record shows (?P<count>\d+) turns?"))
def shows_turns(count: str) -> Expectation:
    return _expect("shows", {"turns": int(count)})


@then(parsers.re(r"the record shows (?P<statuses>[A-Z]+(?: or [A-Z]+)*)"))
def shows_status(statuses: str) -> Expectation:
    return _expect("shows", {"status": _words(statuses)})


@then(parsers.re(r"the server was started (?P<count>\d+) times?"))
def starts(count: str) -> Expectation:
    return _expect("starts", {"least": int(count), "most": int(count)})


@then("the prompts have the tools of their server")
def tools_in_prompts() -> Expectation:
    return _expect("tools_in_prompts")


@then(parsers.re(r"the start request has the members (?P<names>[\w, ]+)"))
def sent(names: str) -> Expectation:
    return _expect("sent", _words(names))
