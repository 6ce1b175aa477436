"""Recorded scenarios as files: named by a counter, checked before they are written, and never over another file."""

from pathlib import Path

from rollout_conformance.steps.engine import yaml_source
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.redaction import MASK
from rollout_conformance.steps.engine.text_file import LARGEST
from rollout_conformance.steps.profiles.base import Profile
from rollout_conformance.steps.profiles.recording import Recorded
from rollout_conformance.steps.scenario import loader
from rollout_conformance.steps.scenario.document_text import text_of

MOST = 99_999


def folder_for(folder: Path) -> None:
    """Raises `SuiteError` for a folder that cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SuiteError(f"--folder {folder}: cannot be made: {error.strerror}") from error


def write(folder: Path, recorded: Recorded, profile: Profile) -> Path:
    """Write a recorded case. Raises `SuiteError` when it is no valid case, or cannot be written."""
    text = _text(recorded, profile)
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise SuiteError(f"it is larger than {LARGEST >> 20} MiB, more than a scenario may have")
    loader.compiled(yaml_source.parse(text, "the recorded scenario"), profile)
    for number in range(1, MOST):
        file = folder / f"recorded-{number:03}.yaml"
        try:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except FileExistsError:
            continue
        except OSError as error:
            raise SuiteError(f"{file}: cannot be written: {error.strerror}") from error
        return file
    raise SuiteError(f"--folder {folder}: it holds {MOST} recordings; name another folder.")


def _text(recorded: Recorded, profile: Profile) -> str:
    body = text_of({"cases": [recorded.case]})
    notes = [f"Recorded by `rollout-conformance record --profile {profile.name}`. Edit it freely; `lint` checks it."]
    if masked := body.count(MASK):
        notes.append(f"{masked} values that looked like secrets were replaced by {MASK}.")
    return "".join(f"# {note}\n" for note in (*notes, *recorded.remarks)) + body
