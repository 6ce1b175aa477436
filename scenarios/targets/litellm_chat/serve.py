"""LiteLLM's proxy with the reference inference server behind it: `serve.py PYTHON_OF_THE_SUITE PORT`. Both end with their process group."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

suite_python, port = sys.argv[1:]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    behind = str(free.getsockname()[1])
subprocess.Popen([suite_python, "-m", "rollout_conformance.rollout_server.inference", "--port", behind])  # noqa: S603
deployment = {"model": "hosted_vllm/toy", "api_base": f"http://127.0.0.1:{behind}/v1", "api_key": "key-behind"}
config = Path(tempfile.mkdtemp(prefix="litellm-")) / "config.yaml"
config.write_text(json.dumps({"model_list": [{"model_name": "toy", "litellm_params": deployment}]}))  # JSON is YAML
program = str(Path(sys.executable).with_name("litellm"))
os.execv(program, [program, "--config", str(config), "--host", "127.0.0.1", "--port", port])  # noqa: S606
