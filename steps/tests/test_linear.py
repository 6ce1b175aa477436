"""Everything that reads text of others is linear in it: every pattern of the suite, and what is built of them, on runs of a megabyte."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from rollout_conformance import steps
from rollout_conformance.steps.engine import internal_error_patterns, json_diff, json_text, redaction, yaml_source
from rollout_conformance.steps.http.metrics import samples
from rollout_conformance.steps.peers import completion_responses, rule_based_trainer
from rollout_conformance.steps.profiles.rollout.invariants.tools import gives, is_bare_number
from rollout_conformance.steps.sse.parser import Parser
from rollout_conformance.steps.tests import growth

CONTRACTS = Path(__file__).parents[2] / "contracts"
SIGNS = ("a", "9", "/", "[", "{", '"', " ", "_", ".", "\\", "-", "\n", ":", "\xe9")
PHRASES = (
    *("a/", "a.", "a ", "9.", "9e", '\\"', "/a.py ", "a.py:", "{} 9\n", "vllm:a{\n", "bearer "),
    *('"api_key":"', "a_api_key", "password : ", "rc-0", "call_", "data: a\n", "<tool_call>", 'File "', "() "),
)
ALL_WORDS = " ".join(sign.word for sign in internal_error_patterns.STRICT).replace("() ", "()")


MAKERS = (
    "rollout_conformance.steps.live.make_model",
    "rollout_conformance.steps.peers.make_tokenizer",
)  # they make the files that the suite ships, of nothing foreign


def _modules() -> Iterator[Any]:
    for found in pkgutil.walk_packages(steps.__path__, "rollout_conformance.steps."):
        if ".tests" not in found.name and not found.name.endswith("__main__") and found.name not in MAKERS:
            yield importlib.import_module(found.name)


def _patterns() -> dict[str, re.Pattern[Any]]:
    """Every compiled pattern that a module of the suite has, and those of the signs of leaks."""
    found = {
        value: f"{module.__name__}.{name}"
        for module in _modules()
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    }
    signs = {f"leaks {sign.pattern.pattern}": sign.pattern for sign in internal_error_patterns.STRICT}
    return {name: pattern for pattern, name in found.items()} | signs


def _exhausted(pattern: re.Pattern[Any], text: str) -> None:
    read: Any = text.encode() if isinstance(pattern.pattern, bytes) else text
    for _ in pattern.finditer(read):
        pass


WORK: dict[str, Callable[[str], object]] = {
    "no leak": lambda text: internal_error_patterns.leaked(text, internal_error_patterns.STRICT),
    "a leak of every kind": lambda text: [
        *internal_error_patterns._matches(
            internal_error_patterns.plain(text + ALL_WORDS), internal_error_patterns.STRICT
        )
    ],
    "a quoted request": lambda text: internal_error_patterns.leaked(
        text, internal_error_patterns.STRICT, internal_error_patterns.Sent([text.encode()])
    ),
    "secrets": redaction.redacted,
    "secrets by form": redaction.scrubbed,
    "JSON": lambda text: json_text.parse(text.encode()),
    "a text of JSON": lambda text: json_diff.show(text),
    "events": lambda text: Parser().feed(text.encode()),
    "metrics": samples,
    "a value": lambda text: gives(text, 8.0),
    "a bare number": is_bare_number,
    "words with the space before": lambda text: completion_responses.pieces(text, "before"),
    "words with the space behind": lambda text: completion_responses.pieces(text, "after"),
    "a question": lambda text: rule_based_trainer.improvise([{"role": "user", "content": text}]),
}


def _steep(work: Callable[[str], object], units: Sequence[str] = SIGNS) -> dict[str, str]:
    """The units of which a run takes more than linear time."""

    def prepared(unit: str, size: int) -> growth.Work:
        text = growth.run(unit, size)
        return lambda: work(text)

    return growth.steep(prepared, units)


def test_every_pattern_reads_each_sign_a_few_times() -> None:
    patterns = _patterns()
    assert len(patterns) > 20
    steep = {name: _steep(partial(_exhausted, pattern), (*SIGNS, *PHRASES)) for name, pattern in patterns.items()}
    assert {name: told for name, told in steep.items() if told} == {}


@pytest.mark.parametrize("name", WORK)
def test_what_reads_foreign_text_is_linear(name: str) -> None:
    assert _steep(WORK[name]) == {}


def test_a_stream_that_comes_byte_by_byte_is_read_once() -> None:
    def prepared(size: int) -> growth.Work:
        stream, parser = growth.run("a", size).encode(), Parser()
        return lambda: [parser.feed(stream[n : n + 1]) for n in range(len(stream))]

    assert growth.excess(prepared, growth.SIZES[:-1]) is None


def _patterns_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        yield from value.get("patternProperties") or ()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _patterns_in(inner)


@pytest.mark.parametrize(
    "contract", sorted(CONTRACTS.glob("*/openapi*.yaml")), ids=lambda path: f"{path.parent.name} {path.stem}"
)
def test_a_linear_engine_takes_the_patterns_of_a_contract(contract: Path) -> None:
    """The validator uses such an engine for every pattern that it can: one without a look around and without a reference back."""
    for pattern in {*_patterns_in(yaml_source.read(contract).value)}:
        linear = jsonschema_rs.RegexOptions()
        assert jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=linear).is_valid(7)


def test_the_measure_tells_the_square_from_the_line() -> None:
    """Two loops, one within the other, are found out, one alone is not."""
    small = (1 << 11, 1 << 13)
    assert growth.excess(lambda size: lambda: [0 for _ in range(8 * size)], small) is None
    assert growth.excess(lambda size: lambda: re.search(r"\w+b", "a" * size), small) is not None


def test_of_many_units_the_steep_ones_are_found() -> None:
    def prepared(unit: str, size: int) -> growth.Work:
        return lambda: re.search(rf"{unit}+b", unit * size)

    found = growth.steep(lambda unit, size: prepared(unit, size >> 1), ["a", "9"])
    assert set(found) == {"a", "9"}
    assert growth.steep(lambda unit, size: lambda: unit * size, ["a", "9"]) == {}
