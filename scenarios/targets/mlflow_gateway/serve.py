"""The AI gateway of MLflow in front of the reference inference server: `serve.py PYTHON_OF_THE_SUITE PORT`."""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine

CONFIG = """
endpoints:
- name: toy
  endpoint_type: llm/v1/chat
  model:
    provider: openai
    name: toy
    config: {{openai_api_key: any, openai_api_base: "{engine}/v1"}}
"""
suite_python, port = sys.argv[1:]
os.chdir(tempfile.mkdtemp(prefix="mlflow-"))
Path("config.yaml").write_text(CONFIG.format(engine=engine(suite_python)))
program = str(Path(sys.executable).with_name("mlflow"))
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it starts gunicorn
started = [program, "gateway", "start", "--config-path", "config.yaml", "--port", port, "--workers", "1"]
os.execv(program, started)  # noqa: S606 - a program of this environment
