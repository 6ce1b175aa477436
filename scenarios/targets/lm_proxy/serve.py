"""LM-Proxy in front of the reference inference server: `serve.py PYTHON_OF_THE_SUITE PORT`."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine

CONFIG = """
host = "127.0.0.1"
port = {port}
[connections.toy]
api_type = "openai"
api_base = "{engine}/v1/"
api_key = "any"
[routing]
"*" = "toy.*"
[groups.default]
api_keys = ["key-of-the-client"]
"""
suite_python, port = sys.argv[1:]
folder = Path(tempfile.mkdtemp(prefix="lm-proxy-"))
(folder / "config.toml").write_text(CONFIG.format(port=port, engine=engine(suite_python)))
os.chdir(folder)  # it reads an .env file there
program = str(Path(sys.executable).with_name("lm-proxy"))
os.execv(program, [program, "--config", "config.toml"])  # noqa: S606 - a program of this environment
