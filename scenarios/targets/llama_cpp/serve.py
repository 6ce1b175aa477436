"""The server of llama.cpp, from the wheels of xllamacpp, with the tiny model of this project: `serve.py SCENARIOS PORT`, as the environment says:
LLAMA_CPP_SLOTS (4), LLAMA_CPP_CONTEXT (2048), the tokens of each slot."""

import os
import signal
import sys
import tempfile
from pathlib import Path

import xllamacpp
from gguf_model import write

SLOTS = int(os.environ.get("LLAMA_CPP_SLOTS", "4"))
ENDS = {signal.SIGTERM, signal.SIGINT}
CONTEXT = int(os.environ.get("LLAMA_CPP_CONTEXT", "2048"))

scenarios, port = Path(sys.argv[1]).resolve(), int(sys.argv[2])
model = Path(tempfile.mkdtemp(prefix="llama-cpp-")) / "toy.gguf"
write(scenarios, model)

parameters = xllamacpp.CommonParams()
parameters.model.path = str(model)
parameters.hostnames = ["127.0.0.1"]
parameters.port = port
parameters.endpoint_metrics = True
parameters.model_alias = {"toy"}
# Its threads wait for each other in a loop, which is slow where the processors have other work.
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
parameters.n_parallel = SLOTS
parameters.n_ctx = SLOTS * CONTEXT
signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # in its threads as well
server = xllamacpp.Server(parameters)
signal.sigwait(ENDS)
del server  # it stops, with its jobs
