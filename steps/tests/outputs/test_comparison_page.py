"""The page that compares targets: what it shows, from reports and from statements, and what hostile ones can do to it."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.outputs.statement import FORMAT, KIND

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\u202e{{ 7 * 7 }}\x00\ud800"


def target(name: str, **words: Any) -> dict[str, Any]:
    requirements = {
        "ROLLOUT-049": {"level": "must", "dialects": words.get("history", {"sync": "kept"})},
        "ROLLOUT-112": {"level": "must", "dialects": {"sync": "kept"}},
        "ROLLOUT-085": {"level": "should", "dialects": {"sync": "skipped"}},
    }
    return {"target": name, "profile": "rollout", "dialects": ["sync"], "evidence": True, "requirements": requirements}


def statement(folder: Path, *targets: Any, name: str = "s.json", kind: str = KIND) -> Path:
    file = folder / name
    file.write_text(json.dumps({"kind": kind, "format": FORMAT, "targets": targets}), encoding="utf-8")
    return file


def compared(page: Path, *files: Path) -> Result:
    return CliRunner().invoke(cli, ["statement", *map(str, files), "--html", str(page)])


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_what_differs_comes_first(tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    bad = target("http://bad", history={"sync": "broken", "callback": "kept"})
    result = compared(page, statement(tmp_path, target("http://good"), bad))
    assert (result.exit_code, result.output) == (0, f"{page}\n")
    texts = [text for text in Tags(page.read_text(encoding="utf-8")).texts if text]
    assert "1 of 2 targets break no MUST that was judged." in texts
    order = [texts.index(name) for name in ("ROLLOUT-049", "ROLLOUT-112", "ROLLOUT-085")]
    assert order == sorted(order)
    row = texts[order[0] : order[0] + 6]
    assert row[2:5] == ["kept", "broken", "sync"]
    assert "not judged" in texts[order[2] :]


def test_reports_and_statements_are_mixed(tmp_path: Path) -> None:
    report = tmp_path / "run.ndjson"
    run = ["run", "--profile", "rollout", "--dialect", "sync", "--case", "five plus three", "--report", str(report)]
    assert CliRunner().invoke(cli, run).exit_code == 0
    page = tmp_path / "p.html"
    assert compared(page, report, statement(tmp_path, target("http://other"))).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "app:rollout_server.app:create_app" in text
    assert "http://other" in text
    assert "2 targets" in text


def test_nothing_of_a_statement_becomes_markup(tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    hostile = target(HOSTILE, history={HOSTILE[:20]: "broken", "sync": HOSTILE[:30]})
    hostile |= {
        "dialects": [HOSTILE[:50]],
        "suite": HOSTILE,
        "started": HOSTILE,
        "report": {"file": HOSTILE},
        "evidence": False,
    }
    hostile["requirements"][HOSTILE[:40]] = {"level": HOSTILE[:40], "dialects": {}}
    assert compared(page, statement(tmp_path, hostile)).exit_code == 0
    tags = Tags(page.read_text(encoding="utf-8", errors="replace"))
    assert {"script", "img"} & set(tags.names) == set()
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert "49" not in {text for text in tags.texts if "7 * 7" in text}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no statement: it is empty"),
        ("[]", "is no statement: `rollout-conformance statement REPORTS"),
        ('{"kind": "rollout-conformance statement", "targets": []}', "is no statement"),
        ('{"kind": "rollout-conformance statement", "targets": [{"target": 5}]}', "is no statement"),
        ('{"kind": "rollout-conformance statement", "targets": "x"}', "is no statement"),
        ("[" * 10_000, "is no statement"),
    ],
)
def test_what_is_no_statement_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "s.json"
    file.write_text(text, encoding="utf-8")
    assert told in str(compared(tmp_path / "p.html", file).exception)


def test_targets_of_several_profiles_are_refused(tmp_path: Path) -> None:
    other = {**target("x"), "profile": "chat"}
    result = compared(tmp_path / "p.html", statement(tmp_path, target("y"), other))
    assert "different profiles (chat, rollout)" in str(result.exception)


@pytest.mark.parametrize("option", ["-o", "--table", "--check"])
def test_a_statement_stands_for_a_report_on_the_page_only(tmp_path: Path, option: str) -> None:
    file = statement(tmp_path, target("x"))
    result = CliRunner().invoke(cli, ["statement", str(file), option, str(tmp_path / "out")])
    assert "a statement is shown by --html" in str(result.exception)
