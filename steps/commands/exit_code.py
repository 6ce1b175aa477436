"""The exit code of a command, and the one message with which an error ends it."""

import asyncio
import contextlib
import sys
from collections.abc import Callable

import click

from rollout_conformance.steps import suite_faults
from rollout_conformance.steps.engine.early_end import ENDING, Reason
from rollout_conformance.steps.engine.findings import SuiteError

OK, FINDINGS, NO_JUDGEMENT, INTERRUPTED = 0, 1, 2, 130


def exit_code_of(command: click.Command) -> int:
    """Run a command with the arguments of this process. Every error becomes one message and exit code 2."""
    try:
        return int(command(standalone_mode=False) or OK)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except SystemExit as leaving:
        if "PacifyFlushWrapper" in type(sys.stdout).__name__:  # click's 1 for a closed pipe is not a finding
            return NO_JUDGEMENT
        return leaving.code if isinstance(leaving.code, int) else OK
    except (click.Abort, KeyboardInterrupt, asyncio.CancelledError) as error:
        if ENDING.reason is None and isinstance(error, asyncio.CancelledError):
            return _failed(suite_faults.line(error))
        return _interrupted()
    except click.ClickException as error:
        return _failed(error.format_message(), error.show)
    except SuiteError as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(f"{error.filename or ''}: {error.strerror or error}")
    except Exception as error:
        return _failed(suite_faults.line(error))


def _failed(text: str, show: Callable[[], None] | None = None) -> int:
    with contextlib.suppress(OSError):  # the terminal may be closed
        show() if show is not None else click.echo(f"rollout-conformance: {text}", err=True)
    return NO_JUDGEMENT


def _interrupted() -> int:
    """The end of a command that a signal ended before it had anything to show."""
    if (spoken := ENDING.speak()) is not None:
        return spoken
    reason = ENDING.reason or Reason("SIGINT", INTERRUPTED)
    with contextlib.suppress(OSError):
        click.echo(f"Ended early by {reason.text}.", err=True)
    return NO_JUDGEMENT if reason.code is None else reason.code
