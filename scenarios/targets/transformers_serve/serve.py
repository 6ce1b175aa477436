"""`transformers serve` wants a model and its tokenizer in one folder: `serve.py SCENARIOS PORT`."""

import os
import sys
import tempfile
from pathlib import Path

scenarios, port = Path(sys.argv[1]).resolve(), sys.argv[2]
folder = Path(tempfile.mkdtemp(prefix="transformers-serve-")) / "tiny"
folder.mkdir()
for part in ("model", "tokenizer"):
    for file in (scenarios / part).iterdir():
        if file.name != "README.md":
            (folder / file.name).symlink_to(file)
program = str(Path(sys.executable).with_name("transformers"))
options = ["--host", "127.0.0.1", "--port", port, "--device", "cpu", "--dtype", "float32"]
# The path is the name of the model, and a server that is started again has to have the same name.
os.chdir(folder.parent)
os.execv(program, [program, "serve", folder.name, *options])  # noqa: S606 - a program of this environment
