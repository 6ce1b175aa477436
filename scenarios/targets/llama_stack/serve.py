"""Llama Stack with its vLLM provider in front of the reference inference server: `serve.py PYTHON_OF_THE_SUITE PORT`."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine

suite_python, port = sys.argv[1:]
folder = tempfile.mkdtemp(prefix="llama-stack-")
os.environ |= {"HOME": folder, "VLLM_URL": f"{engine(suite_python)}/v1", "OTEL_SDK_DISABLED": "true"}
os.chdir(folder)
program = str(Path(sys.executable).with_name("llama"))
started = [program, "stack", "run", "--providers", "inference=remote::vllm", "--port", port]
os.execv(program, started)  # noqa: S606 - a program of this environment
