"""`new`: what it writes is right as it is, and can be run."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from rollout_conformance.steps import case_catalog
from rollout_conformance.steps.authoring.templates import ABOUT, FOLDER
from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.profiles import PROFILES


def new(*words: object) -> Result:
    return CliRunner().invoke(cli, ["new", *map(str, words)])


def about(profile: str, suffix: str) -> str:
    found = ABOUT.search((FOLDER / f"{profile}{suffix}").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["case.yaml", "feature.feature"])
@pytest.mark.parametrize("title", ["plain", 'it\'s "quoted": {a} # é 🏳️‍🌈', "- yes"])
def test_a_case_is_right_as_it_is(tmp_path: Path, profile: str, name: str, title: str) -> None:
    file = tmp_path / name
    result = new(file.stem, file, "--profile", profile, "--title", title)
    assert (result.exit_code, result.output.startswith(f"Wrote {file}. Check it: ")) == (0, True)
    cases = case_catalog.load(file, PROFILES[profile])
    assert {(case.name, case.requirements) for case in cases} == {(title, (about(profile, file.suffix),))}


def test_a_case_is_about_what_was_asked_for(tmp_path: Path) -> None:
    assert new("case", tmp_path / "a.yaml", "--about", "ROLLOUT-084").exit_code == 0
    assert {one.requirements for one in case_catalog.load(tmp_path / "a.yaml", PROFILES["rollout"])} == {
        ("ROLLOUT-084",)
    }
    assert "# ROLLOUT-084: The server MUST" in (tmp_path / "a.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_card_is_right_as_it_is_and_with_each_of_its_lines(tmp_path: Path, profile: str) -> None:
    file = tmp_path / "card.yaml"
    assert new("card", file, "--profile", profile).exit_code == 0
    text = file.read_text(encoding="utf-8")
    kind = PROFILES[profile].card
    kind.model_validate(yaml.safe_load(text))
    named = {line[2:].partition(":")[0] for line in text.splitlines() if line.startswith("# ") and ":" in line}
    assert set(kind.model_fields) - {"dialects"} <= named


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("case", "a.feature"), "has to end in .yaml"),
        (("feature", "a.yaml"), "has to end in .feature"),
        (("case", "a.yaml", "--about", "ROLLOUT-84"), "no such requirement of the profile rollout. Near it: ROLLOUT-"),
        (("case", "a.yaml", "--title", "a::b"), "one line of text without `::`"),
        (("case", "a.yaml", "--title", "a[b]"), "one line of text"),
        (("case", "a.yaml", "--title", "a\nb"), "one line of text"),
        (("case", "a.yaml", "--title", " "), "one line of text"),
        (("case", "/proc/none/a.yaml"), "cannot be written"),
        (("case", "a.yaml", "--about", "retry"), "no such requirement of the profile rollout. Near it:"),
        (
            ("case", "a.yaml", "--about", "CHAT-020", "--profile", "router"),
            "is a requirement of the profile chat: leave --profile out",
        ),
        (("case", "a.yaml", "--profile", "chta"), "chat"),
    ],
)
def test_a_mistake_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = new(*words)
    assert told in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    assert new("case", tmp_path / "my" / "cases" / "a.yaml").exit_code == 0
    assert (tmp_path / "my" / "cases" / "a.yaml").is_file()


def test_the_profile_is_that_of_the_requirement(tmp_path: Path) -> None:
    assert new("case", tmp_path / "a.yaml", "--about", "WORKER-049").exit_code == 0
    assert case_catalog.profile_in(tmp_path / "a.yaml").name == "worker"


@pytest.mark.parametrize(
    "requirement", ["WORKER-049", "WORKER-051", "CHAT-034", "ROUTER-062", "TRAINER-190", "ROLLOUT-084"]
)
def test_the_beginning_of_a_case_judges_what_it_is_about(tmp_path: Path, requirement: str) -> None:
    """Steps of another requirement would accuse this one of what they find."""
    file = tmp_path / "a.yaml"
    assert new("case", file, "--about", requirement, "--title", "mine").exit_code == 0
    profile = case_catalog.profile_in(file)
    shipped = [played(one) for one in case_catalog.every(profile.name) if one.requirements[:1] == (requirement,)]
    mine = case_catalog.load(file, profile)
    assert mine
    assert {one.name.partition("[")[0] for one in mine} == {"mine"}
    assert all(played(one) in shipped for one in mine)


def played(case: Case) -> tuple[object, ...]:
    return (case.dialect, case.variant, case.needs, [step.what for step in case.steps])


def test_without_an_example_the_form_is_called_the_form(tmp_path: Path) -> None:
    assert new("case", tmp_path / "a.yaml", "--about", "ROUTER-010").exit_code == 0  # judged beside another one only
    assert "judge another requirement: write steps" in (tmp_path / "a.yaml").read_text()


def test_a_feature_about_another_requirement_says_that_its_steps_are_not(tmp_path: Path) -> None:
    file = tmp_path / "a.feature"
    assert new("feature", file, "--about", "CHAT-034").exit_code == 0
    assert "judge another requirement: write steps" in file.read_text()
    assert new("feature", tmp_path / "b.feature", "--profile", "chat").exit_code == 0
    assert "judge another requirement" not in (tmp_path / "b.feature").read_text()


@pytest.mark.parametrize(
    ("name", "word"), [("a b.yaml", "'a b.yaml'"), ("-x.yaml", "./-x.yaml"), ("$x[1].yaml", "'$x[1].yaml'")]
)
def test_what_to_do_next_can_be_copied_into_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    told = new("case", "--", name).output
    assert f"rollout-conformance lint {word}. " in told
    assert f"rollout-conformance run {word} --target TARGET" in told


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("mine")
    assert "is not overwritten" in str(new("case", file).exception)
    assert file.read_text() == "mine"


def test_a_profile_of_ones_own_is_a_package_that_the_page_explains(tmp_path: Path) -> None:
    result = new("profile", tmp_path / "reranker")
    assert (result.exit_code, "pip install -e" in result.output) == (0, True)
    names = {file.relative_to(tmp_path / "reranker").as_posix() for file in (tmp_path / "reranker").rglob("*.*")}
    assert {"pyproject.toml", "reranker_profile/profile.py", "reranker_profile/cases/echo.feature"} <= names
    texts = "".join(file.read_text(encoding="utf-8") for file in (tmp_path / "reranker").rglob("*.*"))
    assert "ECHO" not in texts
    assert 'reranker = "reranker_profile.profile:PROFILE"' in texts


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("profile", "x", "--name", "Chat"), "small letters and digits"),
        (("profile", "x", "--name", "chat"), "there is a profile of this name"),
        (("profile", "taken", "--name", "mine"), "exists, and is not overwritten"),
        (("case", "taken"), "this is a folder; name a file in it, such as taken/first.yaml"),
    ],
)
def test_a_folder_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    assert told in str(new(*words).exception)
    assert [file.name for file in tmp_path.rglob("*")] == ["taken"]
