"""`pytest -n` spreads cases over processes: each is played once, and report, baseline and exit code are those of one session."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.pytest_plugin.case_groups import group_of

pytest_plugins = ["pytester"]
HAS_XDIST = importlib.util.find_spec("xdist") is not None
with_workers = pytest.mark.skipif(not HAS_XDIST, reason="pytest-xdist is not installed")

SCENARIO = """cases:
- name: {name} <n>
  requirements: [ROLLOUT-112]
  dialects: [sync]
  trainer: [{{text: Done.}}]
  expect: [{expect}]
  examples: [{rows}]
"""
COUNTING = '''"""The reference server, which notes each request to start a rollout."""

from pathlib import Path

from rollout_conformance.rollout_server.app import create_app as reference


def create_app():
    app = reference()

    async def counted(scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/rollout":
            with (Path(__file__).parent / "starts.txt").open("a") as file:
                file.write("start\\n")
        await app(scope, receive, send)

    return counted
'''


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("features/chat/errors.feature::a refusal[openai]", "chat"),
        ("scenarios/chat/errors.yaml::a refusal[openai]", "chat"),
        ("mine.yaml::it[sync]", ""),
        ("contracts/chat/openapi.yaml::POST /v1/chat/completions", "contracts/chat/openapi.yaml"),
        ("steps/tests/test_lint.py::test_x[a.yaml::b]", None),
    ],
)
def test_the_group_of_an_item(nodeid: str, group: str | None) -> None:
    assert group_of(nodeid) == group


class Node:
    """A worker, as the scheduler sees it."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices


@with_workers
def test_a_group_goes_to_one_worker_and_the_rest_as_xdist_does(pytestconfig: pytest.Config) -> None:
    from rollout_conformance.steps.pytest_plugin.xdist_schedule import GroupScheduling

    some = GroupScheduling.__new__(GroupScheduling)
    some.collection = [
        "features/a/x.feature::1",
        "test_m.py::1",
        "test_m.py::2",
        "scenarios/a/y.yaml::2",
        "test_m.py::3",
    ]
    some.pending, node, other = list(range(5)), Node(), Node()
    some.node2pending = {node: [], other: []}
    some._send_tests(node, 1)
    some._send_tests(other, 2)
    assert (node.sent, other.sent, some.pending) == ([0, 3], [1, 2], [4])
    assert some.node2pending == {node: [0, 3], other: [1, 2]}


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    for folder in ("one", "two"):
        (pytester.path / folder).mkdir()
        text = SCENARIO.format(name=folder, expect="completed", rows="{n: 1}, {n: 2}, {n: 3}, {n: 4}")
        (pytester.path / folder / "cases.yaml").write_text(text, encoding="utf-8")
    (pytester.path / "counting.py").write_text(COUNTING, encoding="utf-8")
    return pytester


def results(report: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert [line["type"] for line in lines].count("header") == 1
    assert lines[-1]["type"] == "footer"
    return [line for line in lines if line["type"] == "result"]


@with_workers
@pytest.mark.slow
def test_two_workers_play_each_case_once_and_write_one_report(project: pytest.Pytester) -> None:
    words = ("--target", "app:counting:create_app", "--report", "run.ndjson", "one", "two")
    alone = project.runpytest_subprocess(*words, timeout=240)
    alone.assert_outcomes(passed=8)
    started = (project.path / "starts.txt").read_text(encoding="utf-8").count("start")
    expected = {line["case"] for line in results(project.path / "run.ndjson")}
    (project.path / "starts.txt").unlink()
    project.runpytest_subprocess("-n", "2", *words, timeout=240).assert_outcomes(passed=8)
    again = (project.path / "starts.txt").read_text(encoding="utf-8").count("start")
    probes = started - 8  # each worker asks once what the target is
    assert again - 8 == 2 * probes
    found = results(project.path / "run.ndjson")
    assert ({line["case"] for line in found}, len(found)) == (expected, 8)
    assert [file.name for file in project.path.glob("run.ndjson*")] == ["run.ndjson"]


@with_workers
@pytest.mark.slow
def test_an_outdated_baseline_fails_a_session_with_workers_too(project: pytest.Pytester) -> None:
    (project.path / "known.yaml").write_text(
        "- requirement: ROLLOUT-112\n  case: one 1\n  reason: it was broken\n", encoding="utf-8"
    )
    words = ("--baseline", "known.yaml", "one", "two")
    for workers in ((), ("-n", "2")):
        result = project.runpytest_subprocess(*workers, *words, timeout=240)
        assert result.ret == 1
        result.stdout.fnmatch_lines(["BASELINE  *ROLLOUT-112*"])


@pytest.mark.parametrize("workers", [(), pytest.param(("-n", "2"), marks=with_workers)])
@pytest.mark.slow
def test_a_target_that_cannot_be_judged_ends_the_session_with_the_reason(
    project: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    result = project.runpytest_subprocess(*workers, "--target", "http://127.0.0.1:9", "one", "two", timeout=240)
    assert result.ret == 2
    text = result.stdout.str() + result.stderr.str()
    assert "http://127.0.0.1:9 does not answer HTTP" in text
    assert "crashed" not in text


@with_workers
@pytest.mark.slow
def test_a_project_without_cases_is_spread_as_ever(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n\n@pytest.mark.parametrize('n', range(9))\ndef test_it(n): pass\n")
    pytester.runpytest_subprocess("-n", "2", timeout=240).assert_outcomes(passed=9)
