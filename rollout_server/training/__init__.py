"""The reference training server: a small softmax model that is trained exactly, behind two training APIs."""

import os

# Threads of BLAS cost more than they gain on matrices this small, and take the cores of other processes. Read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
