"""Starts a server that is configured by a file, or that needs one more port.

`started.py [TEMPLATE NAME=VALUE ...] -- PROGRAM WORD ...`: in the template `@NAME@` stands for a value, `@HOST_NAME@` and `@PORT_NAME@` for the parts
of one that is HOST:PORT, and `@FOLDER@` for a folder of its own.
Among the words, CONFIG is the file that was made of it, FOLDER that folder, and FREE_PORT a port that nobody uses.
"""

import os
import socket
import sys
import tempfile
from pathlib import Path


def configured(template: str, folder: Path, values: list[str]) -> Path:
    text = Path(template).read_text()
    for name, value in [("FOLDER", str(folder)), *(one.split("=", 1) for one in values)]:
        host, _, port = value.rpartition(":")
        for key, meant in ((name, value), (f"HOST_{name}", host), (f"PORT_{name}", port)):
            text = text.replace(f"@{key}@", meant)
    file = folder / Path(template).name
    file.write_text(text)
    return file


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def main(given: list[str]) -> None:
    at = given.index("--")
    before, words = given[:at], given[at + 1 :]
    folder = Path(tempfile.mkdtemp(prefix="gallery-"))
    folder.chmod(0o755)
    config = configured(before[0], folder, before[1:]) if before else folder
    for name, value in (("CONFIG", str(config)), ("FOLDER", str(folder)), ("FREE_PORT", free_port())):
        words = [value if word == name else word for word in words]
    os.execv(words[0], words)  # noqa: S606 - what the entry of the gallery names


if __name__ == "__main__":
    main(sys.argv[1:])
