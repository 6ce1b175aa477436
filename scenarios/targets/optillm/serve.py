"""OptiLLM with no approach of its own, in front of the reference inference server: `serve.py PYTHON_OF_THE_SUITE PORT`."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine

suite_python, port = sys.argv[1:]
os.environ |= {"OPENAI_API_KEY": "any", "HOME": tempfile.mkdtemp(prefix="optillm-")}
program = str(Path(sys.executable).with_name("optillm"))
started = [program, "--approach", "none", "--base-url", f"{engine(suite_python)}/v1", "--host", "127.0.0.1"]
os.execv(program, [*started, "--port", port, "--log", "error"])  # noqa: S606 - a program of this environment
