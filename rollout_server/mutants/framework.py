"""Mutants: a reference server with exactly one planted defect each, to show that the suite finds it. Never deploy one.

`app:rollout_server.mutants:create_app` serves the one that ROLLOUT_MUTANT, TRAINER_MUTANT, ENGINE_MUTANT or ROUTER_MUTANT
names. `python -m rollout_conformance.rollout_server.mutants.SERVER` lists those of a server, one JSON object a line.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette

Patch = Callable[[], None]

CASES, FUZZING, EXPLORATION = "cases", "fuzzing", "exploration"
TESTS = "tests"  # not visible from outside, or not judged by the suite: only the server's own tests find it


@dataclass(frozen=True, slots=True)
class Mutant:
    """One defect.

    `breaks` is the number of the requirement that it breaks, in these dialects (default: all of the server). `also` are
    requirements that necessarily break with it; `*` means that hardly anything works without it. `by` is the method
    that finds it: written cases, or only generated requests or explored orders of events.
    """

    name: str
    breaks: str = field(kw_only=True)
    also: tuple[str, ...] = field(kw_only=True, default=())
    what: str = field(kw_only=True)
    patch: Patch = field(kw_only=True)
    dialects: tuple[str, ...] = field(kw_only=True, default=())
    by: str = field(kw_only=True, default=CASES)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The mutants of one server. `variants` are conforming: freedoms that the suite must accept, served like mutants."""

    requirements: str  # the prefix of requirement ids
    variable: str
    app: str
    dialects: tuple[str, ...]
    mutants: Mapping[str, Mutant]
    variants: Mapping[str, Patch] = field(default_factory=dict)

    def create_app(self) -> Starlette:
        """The server with the defect that the environment variable names. Raises `LookupError` for an unknown name."""
        name = os.environ.get(self.variable, "")
        patches = {**{name: mutant.patch for name, mutant in self.mutants.items()}, **self.variants}
        if name not in patches:
            raise LookupError(f"{self.variable}={name!r} names no mutant; there are {', '.join(patches)}")
        patches[name]()
        app: Starlette = importlib.import_module(self.app).create_app()
        return app

    def describe(self, mutant: Mutant) -> dict[str, Any]:
        return {
            "name": mutant.name,
            "requirement": self._id(mutant.breaks),
            "companions": [self._id(number) for number in mutant.also],
            "dialects": list(mutant.dialects or self.dialects),
            "what": mutant.what,
            "by": mutant.by,
        }

    def _id(self, number: str) -> str:
        return number if number == "*" else f"{self.requirements}-{number}"

    def print(self) -> None:
        for mutant in self.mutants.values():
            sys.stdout.write(json.dumps(self.describe(mutant)) + "\n")


def by_name(*groups: Iterable[Mutant]) -> dict[str, Mutant]:
    return {mutant.name: mutant for group in groups for mutant in group}


def put(owner: Any, name: str, value: Any) -> Patch:
    """Replace an attribute, which must exist: otherwise the mutant would have no defect."""

    def patch() -> None:
        getattr(owner, name)
        setattr(owner, name, value)

    return patch


def add(owner: Any, name: str, value: Any) -> Patch:
    """Add an attribute that the server does not have."""
    return lambda: setattr(owner, name, value)


def around(owner: Any, name: str, change: Callable[..., Any]) -> Patch:
    """Replace a function or a method by `change(original, *arguments)`."""

    def patch() -> None:
        original = getattr(owner, name)
        setattr(owner, name, lambda *a, **k: change(original, *a, **k))

    return patch


def after(owner: Any, name: str, change: Callable[[Any], Any]) -> Patch:
    """Change what a function returns."""
    return around(owner, name, lambda original, *a, **k: change(original(*a, **k)))


def every(*patches: Patch) -> Patch:
    """One defect that needs several patches."""

    def patch() -> None:
        for one in patches:
            one()

    return patch
