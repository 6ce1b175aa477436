"""The command `rollout-conformance`. Signals are handled before anything else is imported: importing all of the suite takes a second."""

import io
import json
import os
import sys

from rollout_conformance.steps.engine.early_end import ENDING, Interrupted, leave

NO_JUDGEMENT = 2
COMPLETE = "_ROLLOUT_CONFORMANCE_COMPLETE"  # what a shell sets that completes a line


def main() -> None:
    """Every error becomes one message and exit code 2; a signal ends the command in order, with the exit code of that signal."""
    if COMPLETE in os.environ:
        from rollout_conformance.steps.completion.shell import main as complete

        sys.exit(complete())
    ENDING.listen()
    try:
        from rollout_conformance.steps import suite_faults
        from rollout_conformance.steps.cli import cli
        from rollout_conformance.steps.commands.exit_code import exit_code_of
    except Interrupted:
        leave(_ended_before_it_began())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a target may send half a character, which no encoding can write
            stream.reconfigure(errors="backslashreplace")
    suite_faults.quiet()
    code = exit_code_of(cli)
    ENDING.done()
    if ENDING.reason is not None:
        leave(code if ENDING.reason.code is None else ENDING.reason.code)
    sys.exit(code)


def _ended_before_it_began() -> int:
    reason = ENDING.reason
    ended_by = reason.text if reason else ""
    sys.stderr.write(f"Ended early by {ended_by}: no case had been played.\n")
    file = _report_of(sys.argv[1:])
    if file:
        header: dict[str, object] = {"type": "header", "suite": None, "profile": None, "dialects": [], "target": None}
        footer: dict[str, object] = {
            "type": "footer",
            "planned": 0,
            "executed": 0,
            "skipped": 0,
            "not_run": 0,
            "verdicts": {},
        }
        footer |= {"requirements": {}, "aborted": True, "ended_by": ended_by}
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(header)}\n{json.dumps(footer)}\n")
    return reason.code if reason and reason.code else NO_JUDGEMENT


def _report_of(words: list[str]) -> str | None:
    """The file that `--report FILE` names. Nothing that could parse the whole line has been imported yet."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == "--report" and words[0] == "run":
            return after or None
        if word.startswith("--report="):
            return word.partition("=")[2] or None
    return None
