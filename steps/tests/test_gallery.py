"""The gallery: its entries are in order, what differs from the known findings is told, and an environment is made once."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout_conformance.steps.commands import gallery as command
from rollout_conformance.steps.engine import target_card
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.gallery import entry as entries
from rollout_conformance.steps.gallery import install as installing
from rollout_conformance.steps.gallery import judging, summary
from rollout_conformance.steps.gallery.entry import Entry, load, names
from rollout_conformance.steps.gallery.judging import Judged
from rollout_conformance.steps.profiles import PROFILES, profile_of

DESCRIPTION = """
system: A server
profile: router
install: {pip: ["server==1.2"]}
command: "{bin}/server --config {here}/config.yaml --port {port}"
expected:
- {requirement: ROUTER-001, reason: it rounds seeds beyond 2^53}
- {requirement: ROUTER-002, reason: it drops members that it does not know}
- {requirement: ROUTER-006, reason: it may time out too late, sometimes: true}
"""


@pytest.fixture
def known(tmp_path: Path) -> Entry:
    return written(tmp_path, DESCRIPTION)


def written(folder: Path, text: str) -> Entry:
    target = folder / "server"
    target.mkdir()
    (target / "target.yaml").write_text(text)
    return load(target)


def judged(known: Entry, *broken: str) -> Judged:
    kept = frozenset({"ROUTER-001", "ROUTER-002", "ROUTER-006"} - {*broken})
    return Judged(known, 1.0, frozenset(broken), frozenset(broken), kept)


@pytest.mark.parametrize("name", names())
def test_the_entries_fit_their_profile(name: str) -> None:
    (entry,) = entries.chosen((name,))
    profile = profile_of(entry.description.profile)
    assert {known.requirement for known in entry.description.expected} <= set(profile.catalogue)
    assert "{port}" in entry.target(Path("environment"))
    if entry.card:
        target_card.load(entry.card, profile.card, profile.dialects, profile.unknown_capability)


def test_the_command_names_the_environment_and_the_folder(known: Entry) -> None:
    target = known.target(Path("/environment"))
    assert target == f"cmd:/environment/bin/server --config {known.folder}/config.yaml --port {{port}}"
    assert known.version == "1.2"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{pip: [server]}", "server: pin the version"),
        ('{npm: ["@scope/server"]}', "@scope/server: pin the version"),
        ("{}", "name at least one package"),
    ],
)
def test_a_package_without_a_version_is_refused(tmp_path: Path, wrong: str, told: str) -> None:
    with pytest.raises(SuiteError, match=told):
        written(tmp_path, DESCRIPTION.replace('{pip: ["server==1.2"]}', wrong))


def test_an_unknown_target_is_told_with_those_that_there_are() -> None:
    with pytest.raises(SuiteError, match=r"unknown target of the gallery 'litelm'\. Did you mean litellm"):
        entries.chosen(("litelm",))


@pytest.mark.parametrize(
    ("broken", "new", "gone"),
    [
        (("ROUTER-001", "ROUTER-002"), [], []),
        (("ROUTER-001", "ROUTER-002", "ROUTER-006"), [], []),
        (("ROUTER-001", "ROUTER-002", "ROUTER-003"), ["ROUTER-003"], []),
        (("ROUTER-001",), [], ["ROUTER-002"]),
    ],
)
def test_what_differs_from_the_known_findings_is_told(
    known: Entry, broken: tuple[str, ...], new: list[str], gone: list[str]
) -> None:
    found = judged(known, *broken)
    assert (found.new, [one.requirement for one in found.gone]) == (new, gone)
    text = "\n".join(summary.lines(found))
    assert ("NOT AS EXPECTED" in text) == bool(new or gone)
    assert all(name in text for name in [*new, *gone])


def test_what_a_run_did_not_judge_is_not_called_mended(known: Entry) -> None:
    """A target that stops in the middle of a run keeps nothing by that."""
    found = Judged(known, 1.0, frozenset({"ROUTER-001"}), frozenset({"ROUTER-001"}), frozenset(), errors=252)
    assert (found.gone, [one.requirement for one in found.unjudged]) == ([], ["ROUTER-002"])
    text = "\n".join(summary.lines(found))
    assert "NOT AS EXPECTED" in text
    assert "ROUTER-002: was not judged" in text
    assert "252 cases could not be judged" in text


def test_a_report_is_read_by_requirement(known: Entry, tmp_path: Path) -> None:
    result = {
        "type": "result",
        "case": "it",
        "verdict": "fail",
        "reason": "",
        "seconds": 1,
        "findings": [
            {
                "requirement": "ROUTER-001",
                "level": "must",
                "expected": "",
                "observed": "",
                "at": "it:1",
                "rerun": "",
                "exchanges": [],
            },
            {
                "requirement": "ROUTER-009",
                "level": "should",
                "expected": "",
                "observed": "",
                "at": "it:1",
                "rerun": "",
                "exchanges": [],
            },
        ],
        "requirements": [
            {"id": "ROUTER-001", "level": "must", "verdict": "fail"},
            {"id": "ROUTER-009", "level": "must", "verdict": "fail"},
            {"id": "ROUTER-018", "level": "should", "verdict": "fail"},
            {"id": "ROUTER-004", "level": "must", "verdict": "pass"},
            {"id": "ROUTER-005", "level": "must", "verdict": "ignored"},
        ],
    }
    footer = {
        "type": "footer",
        "planned": 1,
        "executed": 1,
        "skipped": 0,
        "not_run": 0,
        "verdicts": {"fail": 1},
        "aborted": False,
    }
    file = tmp_path / "run.ndjson"
    lines = [{"type": "header", "format": 2}, {"type": "case"}, result, footer]
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    found = judging.read(known, file, 2.0)
    assert found.broken == {"ROUTER-001", "ROUTER-005", "ROUTER-009", "ROUTER-018"}
    assert found.musts == {"ROUTER-001", "ROUTER-005"}
    assert len(found.kept) == 1


def test_a_requirement_is_not_kept_where_one_of_its_cases_could_not_be_judged(known: Entry, tmp_path: Path) -> None:
    both = {"type": "case", "requirements": ["ROUTER-001", "ROUTER-002"]}
    passed = {"id": "ROUTER-002", "level": "must", "verdict": "pass"}
    result = {"type": "result", "reason": "", "seconds": 1, "findings": []}
    footer = {"type": "footer", "planned": 2, "executed": 2, "skipped": 0, "not_run": 0, "aborted": False}
    lines = [
        {"type": "header", "format": 2},
        both | {"id": "one"},
        both | {"id": "two"},
        result | {"case": "one", "verdict": "pass", "requirements": [passed]},
        result | {"case": "two", "verdict": "error", "requirements": []},
        footer | {"verdicts": {"pass": 1, "error": 1}},
    ]
    file = tmp_path / "run.ndjson"
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    found = judging.read(known, file, 2.0)
    assert (found.kept, found.gone, found.errors) == (frozenset(), [], 1)
    assert "ROUTER-002" in [one.requirement for one in found.unjudged]


def test_an_aborted_run_is_no_evidence(known: Entry, tmp_path: Path) -> None:
    file = tmp_path / "run.ndjson"
    file.write_text('{"type": "header", "format": 2}\n')
    with pytest.raises(SuiteError, match="was aborted"):
        judging.read(known, file, 2.0)


def test_an_environment_is_made_once_and_again_for_other_versions(
    known: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[str]] = []
    monkeypatch.setattr(installing, "_run", made.append)
    for _ in range(2):
        assert installing.install(known, tmp_path) == tmp_path / "server"
    assert [words[-1] for words in made] == [str(tmp_path / "server"), "server==1.2"]
    (tmp_path / "later").mkdir()
    later = written(tmp_path / "later", DESCRIPTION.replace("1.2", "1.3"))
    installing.install(later, tmp_path)
    assert made[-1][-1] == "server==1.3"


def test_a_python_that_there_is_not_is_told() -> None:
    with pytest.raises(SuiteError, match=r"CPython 3\.99 is needed"):
        installing.interpreter("3.99")


def test_a_target_that_cannot_be_installed_is_exit_2_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: Entry
) -> None:
    (tmp_path / "more").mkdir()
    other = written(tmp_path / "more", DESCRIPTION)

    def install(entry: Entry, home: Path) -> Path:
        if entry is known:
            raise SuiteError("no such package")
        return home

    monkeypatch.setattr(entries, "chosen", lambda wanted: [known, other])
    monkeypatch.setattr(command, "install", install)
    monkeypatch.setattr(command, "judge", lambda entry, home: judged(entry, "ROUTER-001", "ROUTER-002"))
    result = CliRunner().invoke(command.command, ["--table", str(tmp_path / "table.md")])
    assert result.exit_code == 2
    assert "no such package" in result.output
    assert "as expected" in result.output
    assert "| 1.2 | router | 1 | 2 | 0 |" in (tmp_path / "table.md").read_text()


def test_every_profile_of_the_gallery_exists() -> None:
    assert {entries.load(entries.TARGETS / name).description.profile for name in names()} <= set(PROFILES)
