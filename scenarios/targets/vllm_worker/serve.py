"""Start vLLM with the tiny model and its API of tokens, as the environment says: VLLM_WORKER_SLOTS (8), VLLM_WORKER_CONTEXT (4096), and
VLLM_WORKER_TEXT=1 with a tokenizer, so that it has text and stop strings; without it there are only token ids."""

import os
import sys

vllm, scenarios, port = sys.argv[1:]
arguments = f"""
    serve {scenarios}/model --tokenizer {scenarios}/tokenizer --served-model-name tiny --enable-scale-out
    --max-num-seqs {os.environ.get("VLLM_WORKER_SLOTS", "8")} --max-model-len {os.environ.get("VLLM_WORKER_CONTEXT", "4096")}
    --dtype float32 --enforce-eager --distributed-executor-backend uni --disable-uvicorn-access-log --host 127.0.0.1 --port {port}
    {"" if os.environ.get("VLLM_WORKER_TEXT") else "--tokens-only"}
"""
os.execv(vllm, [vllm, *arguments.split()])  # noqa: S606 - a program of this environment
