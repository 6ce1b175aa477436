"""`rollout-conformance record`."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx

from rollout_conformance.steps.authoring import recorded_file
from rollout_conformance.steps.commands.exit_code import NO_JUDGEMENT, OK
from rollout_conformance.steps.commands.numbers import Number, WholeNumber
from rollout_conformance.steps.commands.target_options import Address
from rollout_conformance.steps.engine import early_end
from rollout_conformance.steps.engine.early_end import ENDING
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.http_client import client, transport_fault
from rollout_conformance.steps.peers import reverse_proxy
from rollout_conformance.steps.profiles import DEFAULT, PROFILES, profile_of
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.recording import Recorded, Recorder

LOOK_S = 0.1  # between two looks at what has ended
GREETING_S = 5.0


@dataclass(slots=True)
class Recording:
    """What was recorded so far, and where it is written."""

    profile: Profile
    recorder: Recorder
    target: str
    folder: Path
    written: int = 0
    options: set[str] = field(default_factory=set)

    def keep(self, some: Iterator[Recorded]) -> None:
        """Write what ended, and print for each what became of it."""
        for one in some:
            click.echo(one.why or self._written(one))

    def _written(self, one: Recorded) -> str:
        try:
            file = recorded_file.write(self.folder, one, self.profile)
        except SuiteError as error:
            return f"{one.case.get('name')}: not written: {error}"
        self.written += 1
        self.options |= {one.options} - {""}
        return f"Wrote {file}."

    def conclude(self) -> int:
        """The exit code, after what to do next."""
        self.keep(self.recorder.rest())
        if not self.written:
            click.echo("Nothing was recorded: no scenario was written.", err=True)
            return NO_JUDGEMENT
        further = "".join(f" {option}" for option in sorted(self.options))
        click.echo(f"Check them: rollout-conformance lint {self.folder}")
        click.echo(
            f"Run them: rollout-conformance run {self.folder} --profile {self.profile.name} --target {self.target}{further}"
        )
        return OK


@click.command("record")
@click.option(
    "--target", required=True, metavar="URL", help="The rollout server, or the chat server, that is recorded."
)
@click.option(
    "--profile", default=DEFAULT, show_default=True, help="rollout: a trainer calls the target; chat: a client does."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="recorded",
    show_default=True,
    help="Where the scenarios are written, recorded-001.yaml first. No file is overwritten.",
)
@click.option(
    "--listen",
    type=Address(),
    default="127.0.0.1:0",
    show_default=True,
    help="Where the recorder listens, in place of the target.",
)
@click.option("--count", type=WholeNumber(1), default=None, metavar="N", help="End when N scenarios are written.")
@click.option(
    "--patience",
    type=Number(0, min_open=True),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="How long one request may take.",
)
def command(
    target: str, profile: str, folder: Path, listen: tuple[str, int], count: int | None, patience: float
) -> None:
    """Record real traffic as scenarios: a proxy in front of a rollout server (or a chat server) writes what it sees.

    Let the trainer (or the client) use the printed address in place of the target's. Keys are not written. Ctrl-C ends the recording.
    """
    of = profile_of(profile)
    if of.record is None:
        able = ", ".join(one.name for one in PROFILES.working() if one.record is not None)
        raise SuiteError(f"record --profile {profile}: this profile cannot be recorded; these can: {able}.")
    _check_url(target)
    recorded_file.folder_for(folder)
    sys.exit(early_end.run(_record(Recording(of, of.record(target), target, folder), listen, count, patience)))


def _check_url(target: str) -> None:
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise SuiteError(
            f"record --target {target}: a recorder stands in front of a server that runs already: write its URL, "
            "http://HOST:PORT, without a query."
        )


async def _record(recording: Recording, listen: tuple[str, int], count: int | None, patience_s: float) -> int:
    await _greet(recording.target)
    async with reverse_proxy.serve(recording.recorder, *listen, patience_s) as url:
        recording.recorder.own_url = url
        click.echo(f"Recording {recording.target} on {url} into {recording.folder}. Stop: Ctrl-C")
        try:
            while count is None or recording.written < count:
                recording.keep(recording.recorder.ended())
                await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError:
            if not ENDING.accept():
                raise
    return recording.conclude()


async def _greet(target: str) -> None:
    """Raises `SuiteError` for a target that cannot be reached."""
    try:
        async with client() as http, asyncio.timeout(GREETING_S):
            await http.get(target)
    except (TimeoutError, httpx.HTTPError) as error:
        seen = transport_fault(error) if isinstance(error, httpx.HTTPError) else f"no response within {GREETING_S:g} s"
        raise SuiteError(f"record --target {target}: {seen}. Start the server first.") from error
