"""The reference worker: it takes jobs, generates tokens with the shipped model or a stub, and streams them."""

import os

# Threads of BLAS cost more than they gain on matrices this small, and take the cores of other processes. Read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
