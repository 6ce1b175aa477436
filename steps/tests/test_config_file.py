"""The configuration of a project: found, applied below the command line, and every mistake in it explained."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from rollout_conformance.steps import config_file
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES

OWN = "rollout-conformance.toml"


def given(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> dict[str, Any]:
    """The values that a command gets; it is not carried out."""
    monkeypatch.chdir(folder)
    seen: dict[str, Any] = {}

    original = click.Command.invoke

    def noted(self: click.Command, ctx: click.Context) -> Any:
        if isinstance(self, click.Group):
            return original(self, ctx)
        return seen.update(ctx.params)

    monkeypatch.setattr(click.Command, "invoke", noted)
    result = CliRunner().invoke(cli, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return seen


def test_options_of_the_own_file_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / OWN).write_text(
        "target = 'http://h:1'\njobs = 4\nwait = 60\nfail-fast = true\nbaseline = 'known.yaml'\nlisten = '0.0.0.0:9100'\n"
    )
    seen = given(monkeypatch, tmp_path, "run")
    assert (seen["target"], seen["jobs"], seen["wait"], seen["fail_fast"]) == ("http://h:1", 4, 60.0, True)
    assert (seen["known_file"], seen["listen"]) == (Path("known.yaml"), ("0.0.0.0", 9100))  # noqa: S104


def test_the_command_line_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / OWN).write_text("target = 'http://h:1'\njobs = 4\n")
    seen = given(monkeypatch, tmp_path, "run", "--target", "http://h:2")
    assert (seen["target"], seen["jobs"]) == ("http://h:2", 4)


def test_a_table_of_pyproject_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.rollout-conformance]\nprofile = 'chat'\n[tool.other]\nx = 1\n")
    assert given(monkeypatch, tmp_path, "run")["profile"] == "chat"


def test_a_command_takes_what_it_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / OWN).write_text("target = 'http://h:1'\njobs = 4\n")
    seen = given(monkeypatch, tmp_path, "smoke")
    assert seen["target"] == "http://h:1"
    assert "jobs" not in seen


def test_paths_begin_at_the_file_that_was_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.toml").write_text("card = 'card.yaml'\n")
    assert given(monkeypatch, tmp_path, "--config", "sub/a.toml", "run")["card"] == Path("sub/card.yaml")


@pytest.mark.parametrize("text", ["", "[tool.other]\nx = 1\n", "no toml ["])
def test_a_pyproject_of_others_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert given(monkeypatch, tmp_path, "run")["target"] is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.rollout_conformance]\nwait = 3", "the options stand in [tool.rollout-conformance]"),
        ("[tool.Rollout-Conformance]\nwait = 3", "the options stand in [tool.rollout-conformance]"),
        ("[tool.rollout-conformance]\nwait = ", "pyproject.toml: is not TOML"),
    ],
)
def test_a_table_that_would_count_for_nothing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SuiteError) as error:
        given(monkeypatch, tmp_path, "run")
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("traget = 'x'", "unknown option 'traget'. Did you mean target"),
        ("max_time = 3", "Did you mean max-time?"),
        ("case = 'x'", "case is about one run; write --case on the command line"),
        ("[rollout]\ntarget = 'x'", "[rollout] is a table; options stand at the top"),
        ("level = 'musst'", "level = 'musst': 'musst' is not one of 'must', 'should', 'may'"),
        ("jobs = 0", "jobs = 0: 0 is not in the range x>=1"),
        ("jobs = true", "jobs = True is no value of this option; it takes a whole number"),
        ("jobs = 1.5", "jobs = 1.5 is no value of this option; it takes a whole number"),
        ("jobs = '3'", "jobs = '3' is no value of this option; it takes a whole number"),
        ("wait = 'soon'", "wait = 'soon' is no value of this option; it takes a number"),
        ("wait = true", "wait = True is no value of this option; it takes a number"),
        ("target = 3", "target = 3 is no value of this option; it takes a text, in quotes"),
        ("card = 3", "card = 3 is no value of this option; it takes a path, in quotes"),
        ("fail-fast = 'yes'", "it takes true or false"),
        ("target = ['a']", "target = ['a'] is no value of this option; it takes a text, in quotes"),
        ("listen = 'here'", "'here' is not HOST:PORT"),
        ("target = ", "is not TOML"),
        ("target = '\\u0000'", "is not TOML"),
    ],
)
def test_a_mistake_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / OWN).write_text(text.replace("\\u0000", "\x01"))
    if "\\u0000" in text:
        told = "control character"
    with pytest.raises(SuiteError) as error:
        given(monkeypatch, tmp_path, "run")
    assert told in str(error.value)


def test_two_files_are_one_too_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / OWN).write_text("")
    (tmp_path / "pyproject.toml").write_text("[tool.rollout-conformance]\n")
    with pytest.raises(SuiteError, match="both configure the suite"):
        given(monkeypatch, tmp_path, "run")


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="there is no such file"):
        config_file.read(tmp_path / "none.toml")


def test_all_mistakes_are_listed_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / OWN).write_text("profil = 'chat'\nwait = 'soon'\n[x]\na = 1\n")
    with pytest.raises(SuiteError) as error:
        given(monkeypatch, tmp_path, "run")
    told = str(error.value).splitlines()
    assert [one.partition(": ")[2].partition("'")[0].split()[0] for one in told] == ["unknown", "wait", "[x]"]


@pytest.mark.parametrize("command", ["run", "doctor", "new"])
def test_the_help_names_the_profiles(command: str) -> None:
    words = ["new", "case"] if command == "new" else [command]
    told = " ".join(CliRunner().invoke(cli, [*words, "--help"]).output.split())
    assert f"judged: {', '.join(PROFILES)}." in told


def test_the_dialect_of_a_file_is_one_and_that_of_the_command_line_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / OWN).write_text("dialect = 'callback'\n")
    assert given(monkeypatch, tmp_path, "run")["dialect"] == "callback"
    assert given(monkeypatch, tmp_path, "run", "--dialect", "sync")["dialect"] == "sync"
