"""The sentences of the profile `rollout` that are more than a verb: those that script the trainer, and those that change the start request.

Before any sentence, `for rollout "A", ` means that rollout of several. Of what the policy generates, `the policy` is the subject; of anything
else that the trainer sends, `the trainer`.
"""

import json
from typing import Any, TypeVar

from pydantic import BaseModel
from pytest_bdd import given, parsers

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.below_sentence import RowError, below
from rollout_conformance.steps.engine.cases import Action
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.peers.script import Script
from rollout_conformance.steps.profiles.rollout.actions.prepare import ScriptTrainer
from rollout_conformance.steps.profiles.rollout.case_model import Acknowledgement, Line, RolloutCase, StartModel
from rollout_conformance.steps.profiles.rollout.setup import acknowledgements, responses, start_request
from rollout_conformance.steps.profiles.rollout.trainer_script import ack, lines

Model = TypeVar("Model", bound=BaseModel)
A_CALL = '| add | {"a": 5, "b": 3} |'


def _response(**members: object) -> Action:
    return responses(Line.model_validate(members))


def _start(**members: object) -> Action:
    return start_request(StartModel.model_validate(members))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        hint = "Write plain numbers, texts in double quotes, null, true or false"
        raise ValueError(f"not JSON: {text}. {hint}") from None


def _block(model: type[Model], docstring: str) -> Model:
    """The members of a text block. What is wrong with them is reported with their place."""
    source = yaml_source.parse(docstring, yaml_source.BLOCK)
    return yaml_source.validated(model, source)


# What the policy generates


@given(parsers.re(r'the policy answers "(?P<text>.*)"'))
def policy_answers(text: str) -> Action:
    return _response(text=text)


@given(parsers.re(r'the policy answers "(?P<text>.*)" when "(?P<name>[\w-]+)" is released'))
def policy_answers_when_released(text: str, name: str) -> Action:
    return _response(text=text, hold=name)


@given(parsers.re(r"the policy calls (?P<tool>[\w.-]+) with (?P<arguments>\{.*\})"))
def policy_calls(tool: str, arguments: str) -> Action:
    return _response(call={"name": tool, "arguments": arguments})


@given(parsers.re(r'the policy calls (?P<tool>[\w.-]+) with the text "(?P<arguments>.*)"'))
def policy_calls_with_text(tool: str, arguments: str) -> Action:
    """The arguments are sent byte for byte, whether they are JSON or not."""
    return _response(call={"name": tool, "arguments_text": arguments})


@given("the policy calls these tools in one turn:")
@below(
    """
    | add    | {"a": 5, "b": 3} |
    | divide | {"a": 1, "b": 0} |
    """
)
def policy_calls_these(datatable: list[list[str]]) -> Action:
    """A row for each call: the tool, and its arguments as JSON."""
    for n, row in enumerate(datatable):
        _check_call(n, row)
    return _response(calls=[{"name": tool, "arguments": arguments} for tool, arguments in datatable])


def _check_call(n: int, row: list[str]) -> None:
    """Raises `RowError` unless a row is a tool and its arguments, as a JSON object."""
    seen = f"| {' | '.join(row)} |"
    if n == 0 and not any("{" in cell for cell in row):
        raise RowError(n, f"{seen} is a header, and this table has no header row. Begin with the first call: {A_CALL}")
    if len(row) != 2:
        raise RowError(n, f"a row is a tool and its arguments, as {A_CALL}; seen: {seen}")
    try:
        is_object = isinstance(json.loads(row[1]), dict)
    except ValueError as error:
        raise RowError(n, f"the arguments are not JSON ({error}); write {A_CALL}; seen: {seen}") from None
    if not is_object:
        raise RowError(n, f"the arguments are a JSON object, as {A_CALL}; seen: {seen}")


@given("the policy calls any tool")
def policy_calls_any() -> Action:
    return _response(call="any")


@given(parsers.re(r'the policy calls any tool when "(?P<name>[\w-]+)" is released'))
def policy_calls_any_when_released(name: str) -> Action:
    return _response(call="any", hold=name)


@given(parsers.re(r"the policy calls any tool in (?P<count>\d+) turns"))
def policy_calls_any_in_turns(count: str) -> Action:
    return _response(call="any", repeat=int(count))


@given(parsers.re(r"the policy calls (?P<count>\d+) tools in one turn"))
def policy_calls_several(count: str) -> Action:
    return _response(calls=["any"] * int(count))


# What else the trainer sends


@given(parsers.re(r"the trainer returns (?P<status>\d{3})"))
def trainer_returns(status: str) -> Action:
    return _response(fail=int(status))


@given(parsers.re(r"the trainer returns (?P<status>\d{3}) (?P<times>\d+) times"))
def trainer_returns_times(status: str, times: str) -> Action:
    return _response(fail={"status": int(status), "times": int(times)})


@given(parsers.re(r"the trainer always returns (?P<status>\d{3})"))
def trainer_always_returns(status: str) -> Action:
    return _response(fail={"status": int(status), "forever": True})


@given("the trainer always returns an HTML page")
def trainer_always_returns_html() -> Action:
    return _response(fail={"kind": "not_json", "forever": True})


@given("the trainer resets every connection")
def trainer_resets_every_connection() -> Action:
    return _response(fail={"loss": "reset", "forever": True})


@given("the trainer's next response is:")
@below(
    """
    call: {add: {a: 5, b: 3}}
    delay_s: 2
    """
)
def trainer_response(docstring: str) -> Action:
    """A line of `trainer:` in YAML."""
    return responses(_block(Line, docstring))


@given(parsers.re(r'the trainer responds as in (?P<file>\S+\.yaml) "(?P<name>.+)"'))
def trainer_responds_as_in(file: str, name: str) -> Action:
    """The trainer and the acknowledgements of a case that is written in YAML."""
    source = yaml_source.read(ROOT / file, file)
    written = enumerate(source.value.get("cases", ()))
    models = [yaml_source.validated(RolloutCase, source, case, ("cases", n)) for n, case in written]
    cases = {case.name: case for case in models}
    if name not in cases:
        raise SuiteError(f"{file} has no case {name!r}; it has: {', '.join(cases)}")
    script = tuple(line for model in cases[name].trainer for line in lines(model))
    return ScriptTrainer(Script(script, tuple(ack(one) for one in cases[name].acks)))


@given(parsers.re(r"the trainer returns (?P<status>\d{3}) to a completed callback"))
def trainer_acknowledges(status: str) -> Action:
    return acknowledgements((int(status),))


@given(parsers.re(r"the trainer returns (?P<status>\d{3}) to every completed callback"))
def trainer_acknowledges_every(status: str) -> Action:
    return acknowledgements((Acknowledgement(status=int(status), forever=True),))


@given("the trainer resets the connection of a completed callback")
def trainer_resets_callback() -> Action:
    return acknowledgements(("reset",))


# The start request


@given(parsers.re(r"the start request has no (?P<name>\w+)"))
def start_without(name: str) -> Action:
    return _start(without=[name])


@given(parsers.re(r"the start request has (?P<name>(?!no |the unknown |these )\w+) (?P<value>.+)"))
def start_has(name: str, value: str) -> Action:
    return _start(**{name: _json(value)})


@given(parsers.re(r"the start request has the unknown member (?P<name>\w+) (?P<value>.+)"))
def start_has_unknown(name: str, value: str) -> Action:
    return _start(unknown={name: _json(value)})


@given("the start request has these members:")
@below(
    """
    max_turns: 3
    unknown: {x_future: 1}
    """
)
def start_has_these(docstring: str) -> Action:
    """The members of `start:` in YAML."""
    return start_request(_block(StartModel, docstring))
