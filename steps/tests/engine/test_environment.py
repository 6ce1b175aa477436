"""What a report says of the place where its run took place."""

import pytest

from rollout_conformance.steps.engine import environment


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["/bin/rc", "run", "--target-key", "abc", "x y"], "rc run --target-key *** 'x y'"),
        (["rc", "--target-key=abc"], "rc --target-key=***"),
        (["rc", "--target-key"], "rc --target-key"),
        ([], ""),
    ],
)
def test_no_key_of_the_command_line_is_shown(words: list[str], shown: str) -> None:
    assert environment.command(words).replace("'--target-key=***'", "--target-key=***") == shown


def test_the_commit_is_that_of_the_build_where_it_runs_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SHA", "0" * 40)
    assert environment.facts()["commit"] == "0" * 40


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.COMMIT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    assert environment.commit() is None
    assert "commit" not in environment.facts()
