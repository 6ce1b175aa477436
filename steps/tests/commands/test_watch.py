"""`--watch`: a file is checked again when it was changed, and only then."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue

import pytest

PROGRAM = [sys.executable, "-c", "from rollout_conformance.steps.entry import main; main()"]
DEADLINE_S = 60
GOOD = "cases:\n- name: a\n  requirements: [ROLLOUT-112]\n  trainer: [{text: Done.}]\n  expect: [{completed: stop}]\n"


def lines_of(process: "subprocess.Popen[str]") -> "Queue[str]":
    lines: Queue[str] = Queue()
    assert process.stdout is not None
    stream = process.stdout

    def read() -> None:
        for line in stream:
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    return lines


def until(lines: "Queue[str]", text: str) -> list[str]:
    seen: list[str] = []
    while text not in "".join(seen):
        seen.append(lines.get(timeout=DEADLINE_S))
    return seen


@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_change_is_checked(tmp_path: Path, where: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(GOOD, encoding="utf-8")
    words = ["lint", "--watch", str(file if where == "file" else tmp_path)]
    with subprocess.Popen(  # noqa: S603
        [*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    ) as process:
        try:
            lines = lines_of(process)
            assert "rollout: 4 cases, nothing wrong\n" in until(lines, "exit code 0; waiting")
            (tmp_path / "other.txt").write_text("not a case", encoding="utf-8")
            replaced = tmp_path / "a.yaml~"
            replaced.write_text(GOOD.replace("expect", "expects"), encoding="utf-8")
            replaced.rename(file)  # as editors save
            seen = until(lines, "exit code 1; waiting")
            assert "Changed: a.yaml\n" in seen
            assert any("unknown key 'expects'. Did you mean expect" in line for line in seen)
            if where == "file":
                file.unlink()
                assert "Usage: rollout-conformance lint [OPTIONS] [FILES]...\n" in until(lines, "exit code 2; waiting")
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE_S) == 130
        finally:
            process.kill()
