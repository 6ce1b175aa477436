"""The registers of bug reports can be read, and one that is wrong says where and what to write instead."""

from pathlib import Path

import pytest

from rollout_conformance.contracts.reports import RegisterError, cited, load

REGISTERS = sorted(Path(__file__).parents[1].glob("*/reports.yaml"))
ENTRIES = 100  # over all profiles; the register only grows

ENTRY = """\
- report: [vllm-project/vllm#53269]
  seen: 2026-11
  symptom: A cut call ends as a call.
  requirement: CHAT-038
  mutant: finish_always_stop
"""


def written(tmp_path: Path, *entries: str) -> Path:
    file = tmp_path / "reports.yaml"
    file.write_text("profile: chat\nreports:\n" + "".join(entries), encoding="utf-8")
    return file


def test_the_registers_have_at_least_a_hundred_entries() -> None:
    assert sum(len(load(file)) for file in REGISTERS) >= ENTRIES


def test_an_entry_knows_its_line(tmp_path: Path) -> None:
    file = written(tmp_path, ENTRY, ENTRY.replace("#53269", "#1"))
    assert [report.at for report in load(file)] == [f"{file}:3", f"{file}:8"]
    assert cited(load(file)) == ["vllm-project/vllm#53269", "vllm-project/vllm#1"]


def test_a_profile_without_a_register_has_no_reports(tmp_path: Path) -> None:
    assert load(tmp_path / "reports.yaml") == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("#53269", "/53269", "report.0: saw 'vllm-project/vllm/53269'; write a public reference, such as "),
        ("2026-11", "November", "seen: saw 'November'; write a year and a month, such as 2026-11"),
        ("CHAT-038", "38", "requirement: saw '38'; write the id of a requirement, such as CHAT-038"),
        ("  mutant: finish_always_stop\n", "", "saw neither of mutant and case; write one of them"),
        ("  mutant:", "  case: a case\n  mutant:", "saw both of mutant and case; write one of them"),
        ("  seen: 2026-11\n", "", "seen: saw nothing; write it, the key is required"),
        ("  seen:", "  when: now\n  seen:", "when: saw a key that does not exist; write one of report, seen, "),
        ("  seen:", "  seen: 2026-10\n  seen:", "the key 'seen' appears twice in one mapping; write it once"),
    ],
)
def test_a_mistake_is_shown_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = written(tmp_path, ENTRY.replace(old, new))
    with pytest.raises(RegisterError) as error:
        load(file)
    where, _, rest = str(error.value).partition(": ")
    assert where.startswith(f"{file}:")
    assert rest.startswith(told)


def test_a_report_stands_once_for_a_requirement(tmp_path: Path) -> None:
    file = written(tmp_path, ENTRY, ENTRY)
    with pytest.raises(
        RegisterError, match=r":8: vllm-project/vllm#53269 is registered for CHAT-038 already, at .*:3;"
    ):
        load(file)


def test_a_report_may_break_two_requirements(tmp_path: Path) -> None:
    assert len(load(written(tmp_path, ENTRY, ENTRY.replace("CHAT-038", "CHAT-034")))) == 2
