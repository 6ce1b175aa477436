"""Writes the pages of this folder that are made from data: the requirements of each profile and the order of events of each dialect.

`python docs/generate.py` writes them; `steps/tests/test_docs.py` fails when one is out of date.
"""

import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from rollout_conformance.contracts import reports, requirements
from rollout_conformance.contracts.lifecycle import Table, mermaid
from rollout_conformance.contracts.reports import BugReport
from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps.authoring.profile_package import PAGE
from rollout_conformance.steps.completion import options_table
from rollout_conformance.steps.gallery import entry as gallery
from rollout_conformance.steps.gallery.entry import Entry
from rollout_conformance.steps.paths import CONTRACTS

HERE = Path(__file__).resolve().parent
MADE = "<!-- Made by `python docs/generate.py`; do not edit. -->"


def pages() -> dict[Path, str]:
    """Every page that is made, by its file."""
    profiles = sorted(file.parent.name for file in CONTRACTS.glob("*/requirements.yaml"))
    made = {HERE / f"requirements_{name}.md": requirements_page(name) for name in profiles}
    return made | {
        HERE / "event_order.md": event_order_page(profiles),
        HERE / "reports.md": reports_page(profiles),
        HERE / "gallery_targets.md": gallery_page(),
        PAGE: (HERE / "add_a_profile.md").read_text(encoding="utf-8"),
        options_table.FILE: options_table.text(),
    }


def gallery_page() -> str:
    """What each server of the gallery is known to break, and why each finding is true."""
    entries = gallery.chosen(())
    lines = ["# The servers of the gallery", "", MADE, ""]
    lines += [
        "`rollout-conformance gallery NAME` installs one, judges it and compares ([the gallery](gallery.md)).",
        "",
    ]
    lines += [*gallery_table(entries, "../"), ""]
    for one in entries:
        lines += [f"## {one.name}", "", f"{_system(one)}: `{one.description.install.first}`.", ""]
        lines += (
            ["| broken | what was seen |", "| --- | --- |"] if one.description.expected else ["Nothing is broken.", ""]
        )
        lines += [f"| {_requirement(known.requirement)} | {known.reason} |" for known in one.description.expected]
        lines += [""] if one.description.expected else []
    return "\n".join(lines).rstrip() + "\n"


def gallery_table(entries: Sequence[Entry], root: str) -> Iterator[str]:
    """System, version, profile, and how many MUST and other requirements it is known to break; links begin at `root`."""
    levels = {
        one.id: one.level
        for name in {entry.description.profile for entry in entries}
        for one in requirements.load(CONTRACTS / name / "requirements.yaml").values()
    }
    yield "| system | version | profile | MUST broken | other |"
    yield "| --- | --- | --- | --- | --- |"
    for one in entries:
        about = one.description
        broken = [known.counts_as or levels[known.requirement] for known in about.expected]
        musts = broken.count("must")
        link = f"[{_system(one)}]({root}scenarios/targets/{one.name}/target.yaml)"
        profile = f"{about.profile}, {about.dialect}" if about.dialect else about.profile
        yield f"| {link} | {one.version} | {profile} | {musts} | {len(broken) - musts} |"


def _system(one: Entry) -> str:
    about = one.description
    return f"{about.system}, {about.setup}" if about.setup else about.system


def _requirement(name: str) -> str:
    return f"[{name}](requirements_{name.partition('-')[0].lower()}.md#{name.lower()})"


def reports_page(profiles: list[str]) -> str:
    """The registers of public bug reports, a table a profile."""
    lines = ["# Bug reports", "", MADE, ""]
    lines += [
        "What others reported in public of their servers, in our words, and the requirement that it breaks. Each mutant is a reference server",
        "with a defect of this kind; `rollout-conformance mutants --reports` shows that its requirement finds it in every dialect.",
        "",
    ]
    for profile in profiles:
        entries = reports.load(CONTRACTS / profile / "reports.yaml")
        if entries:
            lines += [f"## {profile}", "", f"{len(entries)} entries, {len(reports.cited(entries))} reports.", ""]
            lines += ["| requirement | what happens | mutant or case | reports |", "| --- | --- | --- | --- |"]
            lines += [*map(_report_row, entries), ""]
    return "\n".join(lines).rstrip() + "\n"


def _report_row(report: BugReport) -> str:
    shown = f"`{report.mutant}`" if report.mutant else report.case
    link = _requirement(report.requirement)
    symptom = report.symptom.replace("|", "\\|")
    return f"| {link} | {symptom} | {shown} | {', '.join(map(_reference, report.references))} |"


def _reference(reference: str) -> str:
    repository, _, number = reference.partition("#")
    return f"[{reference}](https://github.com/{repository}/issues/{number})"


def requirements_page(profile: str) -> str:
    """The catalogue of a profile, a section a requirement, in the order of its topics."""
    file = CONTRACTS / profile / "requirements.yaml"
    reported = reports.load(CONTRACTS / profile / "reports.yaml")
    head = yaml.safe_load(file.read_text(encoding="utf-8"))
    catalogue = requirements.load(file)
    lines = [f"# Requirements of the profile `{profile}`", "", MADE, ""]
    lines += _defined("Words", head.get("words", {})) + _defined("Dialects", head["dialects"])
    lines += _defined("Capabilities", head.get("capabilities", {}))
    for topic, text in head["topics"].items():
        lines += [f"## {_sentence(text)}", ""]
        for entry in (one for one in catalogue.values() if one.topic == topic):
            lines += [*_section(entry, [one for one in reported if one.requirement == entry.id]), ""]
    return "\n".join(lines).rstrip() + "\n"


def _defined(title: str, words: Mapping[str, str]) -> list[str]:
    if not words:
        return []
    return [f"## {title}", "", "| name | meaning |", "| --- | --- |", *_rows(words), ""]


def _rows(words: Mapping[str, str]) -> Iterator[str]:
    for name, text in words.items():
        yield f"| `{name}` | {' '.join(text.split()).replace('|', chr(92) + '|')} |"


def _section(entry: Requirement, reported: Sequence[BugReport]) -> Iterator[str]:
    yield f"### {entry.id}"
    yield ""
    yield " ".join(entry.sentence.split())
    yield ""
    if entry.why:
        yield f"- Why: {' '.join(entry.why.split())}"
    yield f"- Dialects: {', '.join(entry.dialects)}"
    judged = " ".join((entry.judged or entry.not_judged or "").split())
    yield f"- Judged by {', '.join(entry.judged_by)}: {judged}" if entry.judged else f"- Not judged: {judged}"
    for accepted in entry.accepts:
        yield f"- Accepted: {' '.join(accepted.split())}"
    if entry.decision:
        yield f"- Decision: {' '.join(entry.decision.split())}"
    if entry.needs:
        yield f"- Needs: {', '.join(f'`{need}`' for need in entry.needs)}"
    yield f"- Source: {' '.join(entry.source.split())}"
    if references := reports.cited(reported):
        yield f"- Seen in the wild: {', '.join(map(_reference, references))}"


def event_order_page(profiles: list[str]) -> str:
    """The table of each dialect as a diagram."""
    lines = ["# Order of events", "", MADE, ""]
    lines += [
        "Each dialect has one table: in which state which side may emit which event. The invariants, the random walks and the",
        "",
    ]
    lines[-2] += ' "legal" part of a finding are derived from it. An arrow is labelled `side: event`.'
    for profile in profiles:
        for name, table in _tables(profile).items():
            lines += [f"## {profile}: {name}", "", "```mermaid", mermaid(table), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _tables(profile: str) -> Mapping[str, Table]:
    name = f"rollout_conformance.contracts.{profile}.lifecycle"
    if importlib.util.find_spec(name) is None:
        return {}
    module = importlib.import_module(name)
    found: Mapping[str, Table] = getattr(module, "TABLES", None) or {"stream": module.STREAM}
    return found


def _sentence(text: str) -> str:
    plain = " ".join(text.split())
    return plain[:1].upper() + plain[1:]


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
