"""The vLLM model server of NeMo Gym in front of the reference inference server, without the Ray cluster of its launcher:
`serve.py PYTHON_OF_THE_SUITE PORT`.
"""

import importlib
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from behind import engine

SUITE_PYTHON, PORT = sys.argv[1], int(sys.argv[2])
NAME = "policy_model"
MODEL = {
    "entrypoint": "app.py",
    "host": "127.0.0.1",
    "port": PORT,
    "base_url": f"{engine(SUITE_PYTHON)}/v1",
    "api_key": "any",
    "model": "toy",
    "return_token_id_information": False,
    "uses_reasoning_parser": True,
}
SETTINGS = {
    NAME: {"responses_api_models": {"vllm_model": MODEL}},
    "head_server": {"host": "127.0.0.1", "port": 1},
    "dry_run": False,
}
os.environ.update(NEMO_GYM_CONFIG_DICT=json.dumps(SETTINGS), NEMO_GYM_CONFIG_PATH=NAME)
sys.argv = sys.argv[:1]

server_utils = importlib.import_module("nemo_gym.server_utils")  # it reads the variables
server_utils.initialize_ray = lambda: None
importlib.import_module("responses_api_models.vllm_model.app").VLLMModel.run_webserver()
