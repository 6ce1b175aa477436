"""Mutants are served by name, each plants its defect in something that exists, and a catalogue describes them."""

import importlib
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from rollout_conformance.rollout_server import mutants
from rollout_conformance.rollout_server.mutants.framework import Catalogue, Mutant, add, after, around, every, put

PACKAGE = "rollout_conformance.rollout_server.mutants"
PLANT_ALL = """
import importlib, sys
catalogue = importlib.import_module(sys.argv[1]).CATALOGUE
importlib.import_module(catalogue.app)
patches = [mutant.patch for mutant in catalogue.mutants.values()] + [*catalogue.variants.values()]
for patch in patches:
    patch()
print(len(patches))
"""


def server(doubled: int = 1) -> Any:
    return SimpleNamespace(value=lambda n: n * doubled, limit=3)


def catalogue_of(name: str) -> Catalogue:
    catalogue: Catalogue = importlib.import_module(f"{PACKAGE}.{name}").CATALOGUE
    return catalogue


@pytest.mark.parametrize("name", mutants.SERVERS.values())
def test_each_patch_names_what_exists(name: str) -> None:
    """In a process of its own, as patches are not undone."""
    command = [sys.executable, "-c", PLANT_ALL, f"{PACKAGE}.{name}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    catalogue = catalogue_of(name)
    assert (done.stdout, done.stderr) == (f"{len(catalogue.mutants) + len(catalogue.variants)}\n", "")


@pytest.mark.parametrize("name", mutants.SERVERS.values())
def test_each_mutant_describes_itself(name: str) -> None:
    command = [sys.executable, "-m", f"{PACKAGE}.{name}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)  # noqa: S603
    described = [json.loads(line) for line in done.stdout.splitlines()]
    catalogue = catalogue_of(name)
    assert [one["name"] for one in described] == [*catalogue.mutants]
    ids = {number for one in described for number in (one["requirement"], *one["companions"]) if number != "*"}
    assert all(number.startswith(f"{catalogue.requirements}-") for number in ids)


@pytest.mark.parametrize(("variable", "name"), mutants.SERVERS.items())
def test_an_unknown_name_is_an_error(variable: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert catalogue_of(name).variable == variable
    monkeypatch.setenv(variable, "nobody")
    with pytest.raises(LookupError, match=f"{variable}='nobody' names no mutant; there are "):
        mutants.create_app()


def test_a_patch_of_a_missing_attribute_is_an_error() -> None:
    for patch in (put(server(), "misspelt", 1), around(server(), "misspelt", max), after(server(), "misspelt", abs)):
        with pytest.raises(AttributeError, match="misspelt"):
            patch()


def test_patches() -> None:
    target = server(doubled=2)
    every(put(target, "limit", 4), add(target, "more", 1), after(target, "value", lambda found: -found))()
    around(target, "value", lambda original, n: original(n + 1))()
    assert (target.limit, target.more, target.value(1)) == (4, 1, -4)


def test_a_description_has_the_dialects_of_the_server_unless_the_mutant_names_its_own() -> None:
    catalogue = Catalogue("X", "X_MUTANT", "x.app", ("a", "b"), {})
    one = Mutant("one", breaks="001", also=("002", "*"), what="w", patch=lambda: None)
    other = Mutant("other", breaks="001", what="w", patch=lambda: None, dialects=("a",), by="fuzzing")
    assert catalogue.describe(one) == {
        "name": "one",
        "requirement": "X-001",
        "companions": ["X-002", "*"],
        "dialects": ["a", "b"],
        "what": "w",
        "by": "cases",
    }
    assert (catalogue.describe(other)["dialects"], catalogue.describe(other)["by"]) == (["a"], "fuzzing")
