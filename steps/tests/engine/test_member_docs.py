"""The texts below members are found in the source, and each file is parsed once."""

import linecache
from dataclasses import dataclass

import pytest

from rollout_conformance.steps.engine.member_docs import _classes, member_docs


@dataclass(frozen=True, slots=True)
class Base:
    shared: int = 0
    "Of the base."


@dataclass(frozen=True, slots=True)
class Outer(Base):
    own: str = ""
    """Of the class,
    in two lines."""
    silent: bool = False

    @dataclass(frozen=True, slots=True)
    class Inner:
        own: str = ""
        "Of the class within."


def test_texts_are_those_of_the_class_and_of_its_bases() -> None:
    assert member_docs(Outer) == {"shared": "Of the base.", "own": "Of the class,\nin two lines."}
    assert member_docs(Outer.Inner) == {"own": "Of the class within."}


def test_a_class_within_a_function_has_its_texts() -> None:
    @dataclass
    class Local:
        number: int = 0
        "Of a local class."

    assert member_docs(Local) == {"number": "Of a local class."}


def test_a_class_without_source_has_no_texts() -> None:
    assert member_docs(type("Made", (), {"__module__": "nowhere"})) == {}


def test_a_file_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    lines_of = linecache.getlines

    def getlines(file: str) -> list[str]:
        read.append(file)
        return lines_of(file)

    monkeypatch.setattr(linecache, "getlines", getlines)
    _classes.cache_clear()
    member_docs.cache_clear()
    assert member_docs(Outer)
    assert member_docs(Outer.Inner)
    assert read == [__file__]
