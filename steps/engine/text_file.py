"""Files that people write, as text: UTF-8, with or without a byte order mark."""

import re
from pathlib import Path

from rollout_conformance.steps.engine.findings import Location, SuiteError

LARGEST = 4 << 20  # bytes of a file
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def read(file: Path, shown: str) -> str:
    """The text of a file. Raises `SuiteError` with its place for what is no text."""
    with file.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise SuiteError(f"{shown}: is larger than {LARGEST >> 20} MiB, which is no file that a person wrote")
    if data.startswith(UTF_16):
        raise Location(shown, 1).problem("is not UTF-8 text: it begins with the mark of UTF-16. Save it as UTF-8.")
    if b"\0" in data:
        place = _place(shown, data[: data.index(b"\0")].decode("utf-8", "replace"))
        raise place.problem("is no text file: it holds the byte 0x00")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _place(shown, data[: error.start].decode("utf-8", "replace"))
        raise place.problem(
            f"is not UTF-8 text: {error.reason} ({data[error.start]:#04x}). Save it as UTF-8."
        ) from None
    found = CONTROL.search(text)
    if found:
        place = _place(shown, text[: found.start()])
        raise place.problem(f"is no text file: it holds the control character U+{ord(found[0]):04X}")
    return text


def _place(shown: str, before: str) -> Location:
    """Where the text goes on after `before`."""
    return Location(shown, before.count("\n") + 1, len(before) - before.rfind("\n"))
