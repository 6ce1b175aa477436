"""The frontend of Dynamo, with a backend of it whose engine is the reference worker: `serve.py PYTHON_OF_THE_SUITE PORT`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine

HERE = Path(__file__).resolve().parent
SCENARIOS = HERE.parents[1]


def model_folder(folder: Path) -> Path:
    """The configuration and the tokenizer of the tiny model, in one folder."""
    folder.mkdir()
    for part in ("model", "tokenizer"):
        for file in (SCENARIOS / part).glob("*.j*"):
            (folder / file.name).symlink_to(file)
    return folder


def main(suite_python: str, port: str) -> None:
    work = Path(tempfile.mkdtemp(prefix="dynamo-"))
    os.environ.update(DYN_FILE_KV=str(work / "store"), HF_HUB_OFFLINE="1", DYN_LOG="warn")
    backend = [
        sys.executable,
        str(HERE / "engine.py"),
        str(model_folder(work / "tiny")),
        engine(suite_python, "worker"),
    ]
    subprocess.Popen(backend)  # noqa: S603 - this Python
    frontend = [sys.executable, "-m", "dynamo.frontend", "--discovery-backend", "file"]
    os.execv(sys.executable, [*frontend, "--http-host", "127.0.0.1", "--http-port", port])  # noqa: S606


main(*sys.argv[1:])
