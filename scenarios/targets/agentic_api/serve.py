"""The gateway vLLM Agentic API in front of the reference inference server: `serve.py PYTHON_OF_THE_SUITE PORT`."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine

suite_python, port = sys.argv[1:]
os.chdir(tempfile.mkdtemp(prefix="agentic-api-"))
gateway = [sys.executable, "-m", "agentic_api", "serve", "--vllm-base-url", engine(suite_python)]
os.execv(sys.executable, [*gateway, "--host", "127.0.0.1", "--port", port])  # noqa: S606 - this Python
