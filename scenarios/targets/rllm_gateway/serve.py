"""The model gateway of rLLM in front of the reference inference server: `serve.py PYTHON_OF_THE_SUITE PORT`.

Token ids are kept in the traces unless `strip_vllm_fields` is off; here it is off, so that they can be judged."""

import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine

suite_python, port = sys.argv[1:]
settings = {
    "host": "127.0.0.1",
    "port": int(port),
    "store_worker": "memory",
    "strip_vllm_fields": False,
    "workers": [{"url": f"{engine(suite_python)}/v1"}],
}
config = Path(tempfile.mkdtemp(prefix="rllm-")) / "config.yaml"
config.write_text(json.dumps(settings))  # JSON is YAML
os.execv(sys.executable, [sys.executable, "-m", "rllm_model_gateway", "--config", str(config)])  # noqa: S606
