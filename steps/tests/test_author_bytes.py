"""What an author's file may hold instead of a scenario: each is refused in one line with its place, quickly."""

from pathlib import Path

import pytest

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.profiles import PROFILES
from rollout_conformance.steps.scenario.gherkin import compile_feature

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"a: " + b"[" * 10_000, ":1:103: nested deeper than 100 levels"),
        (b"- " * 20_000, ":1:201: nested deeper than 100 levels"),
        (BOMB.encode(), ":6:14: more than 200,000 values, with its aliases written out"),
        (b"a: &a [*a]", ":1:8: the alias *a stands for nothing that is complete before it"),
        (b"a:\n- \x00\n", ":2:3: is no text file: it holds the byte 0x00"),
        (b"a:\n- \xff\n", ":2:3: is not UTF-8 text: invalid start byte (0xff). Save it as UTF-8."),
        ("a: x".encode("utf-16"), ":1:1: is not UTF-8 text: it begins with the mark of UTF-16. Save it as UTF-8."),
        (b"a: " + b"9" * 100_000, ":1:4: not YAML: '9999"),
        (b"? [a]\n: 1\n", ":1:3: a key is a word, not a list or a mapping."),
        (b"a: !!timestamp foo", ":1:4: not YAML: 'foo' cannot be read as timestamp"),
        (b"#" * (5 << 20), ": is larger than 4 MiB"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_file_is_refused_with_its_place(data: bytes, shown: str, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(data)
    with pytest.raises(SuiteError) as refusal:
        yaml_source.read(file)
    assert shown in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("data", [b"\x89PNG\xff", "Feature: x".encode("utf-16"), b"Feature: x\n" + b"#" * (5 << 20)])
def test_so_is_a_feature(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.feature"
    file.write_bytes(data)
    with pytest.raises(SuiteError, match=r"is not UTF-8 text|no text file|is larger than 4 MiB"):
        compile_feature(file, PROFILES["rollout"], tmp_path)
