"""The pages that are made from data are those of the data, every link leads somewhere, and every command of the documentation is one that exists."""

import asyncio
import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from rollout_conformance.steps.cli import cli
from rollout_conformance.steps.gallery import entry as gallery
from rollout_conformance.steps.mutant_list import listed
from rollout_conformance.steps.paths import ROOT
from rollout_conformance.steps.profiles import PROFILES

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_up_to_date() -> None:
    for page, text in generator().pages().items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name}: run python docs/generate.py"


def test_the_table_of_real_servers_in_the_readme_is_that_of_the_gallery() -> None:
    table = "\n".join(generator().gallery_table(gallery.chosen(()), ""))
    assert table in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_leads_to_a_file(page: Path) -> None:
    targets = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_contract_is_linked() -> None:
    text = (DOCS / "judge_your_server.md").read_text(encoding="utf-8")
    contracts = [file.relative_to(ROOT).as_posix() for file in ROOT.glob("contracts/*/openapi*.yaml")]
    assert len(contracts) >= len(PROFILES)
    assert [one for one in contracts if f"](../{one})" not in text] == []


def test_the_readme_links_each_dialect_of_the_rollout_protocol() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [one for one in PROFILES["rollout"].dialects if f"](contracts/rollout/openapi.{one}.yaml)" not in text] == []


def test_the_counts_in_the_readme_are_those_of_the_catalogues_and_the_mutants() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, profile in PROFILES.items():
        assert f"[{len(profile.catalogue)}](docs/requirements_{name}.md)" in text
        assert f"{name} {len(asyncio.run(listed((), name)))}" in text


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if page.stem != "index" and f"({page.name})" not in index] == []


COMMANDS = [
    (page.name, line)
    for page in PAGES
    for language, block in FENCE.findall(page.read_text(encoding="utf-8"))
    if language in ("", "bash", "sh")
    for line in block.splitlines()
    if re.search(r"(?:^|&& |/)rollout-conformance \w", line)
]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page}-{n}" for n, (page, _) in enumerate(COMMANDS)])
def test_every_command_is_understood(page: str, line: str, tmp_path: Path) -> None:
    """Its options are parsed as the command does it; nothing is run."""
    words = shlex.split(line.partition("  #")[0].partition(" > ")[0].replace("my_cases/", str(tmp_path)))
    start = next(n for n, word in enumerate(words) if word.endswith("rollout-conformance"))
    _parsed(cli, [word for word in words[start + 1 :] if word not in ("...",)])


def _parsed(command: click.Command, words: list[str]) -> None:
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"there is no command {name!r}"
        command = found
    command.make_context(command.name, words)


def examples() -> tuple[str, str]:
    """The feature and the scenario file of the page about writing cases."""
    blocks = FENCE.findall((DOCS / "write_a_case.md").read_text(encoding="utf-8"))
    data = [block for language, block in blocks if language == "yaml"]
    return next(block for language, block in blocks if language == "gherkin"), data[0] + data[1]


def test_the_cases_of_the_documentation_are_right(tmp_path: Path) -> None:
    feature, scenario = examples()
    (tmp_path / "a.feature").write_text(feature, encoding="utf-8")
    (tmp_path / "a.yaml").write_text(scenario, encoding="utf-8")
    result = CliRunner().invoke(cli, ["lint", str(tmp_path)])
    assert (result.output, result.exit_code) == ("rollout: 14 cases, nothing wrong\n", 0)


def test_the_commands_that_need_no_target_run() -> None:
    for words in (["explain", "ROLLOUT-055"], ["lint"], ["--help"]):
        assert CliRunner().invoke(cli, words).exit_code == 0
