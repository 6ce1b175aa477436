"""The files of checkpoints. Their names are random and never come from a request; a file is complete or absent, and never changes."""

import os
import uuid
from collections import OrderedDict
from pathlib import Path

from rollout_conformance.rollout_server.training import model_state
from rollout_conformance.rollout_server.training.base_model import Floats
from rollout_conformance.rollout_server.training.model_state import ModelState

SUFFIX = ".npz"
CACHED = 32


class CheckpointFiles:
    def __init__(self, folder: Path, *, kept: bool = True) -> None:
        """`kept` is whether a file has to survive the machine."""
        self._folder = folder
        self._kept = kept
        self._cache: OrderedDict[str, ModelState] = OrderedDict()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, state: ModelState, merged: Floats | None = None) -> tuple[str, int]:
        """The name of the new file and its size in bytes."""
        name, data = uuid.uuid4().hex, model_state.to_bytes(state.saved(), merged)
        unfinished = self._folder / f"{name}.part"
        with open(unfinished, "wb") as file:
            file.write(data)
            if self._kept:
                file.flush()
                os.fsync(file.fileno())
        unfinished.rename(self._folder / f"{name}{SUFFIX}")
        return name, len(data)

    def read(self, name: str) -> ModelState:
        """Raises `FileNotFoundError`."""
        if name not in self._cache:
            self._cache[name] = model_state.from_bytes((self._folder / f"{name}{SUFFIX}").read_bytes())
        self._cache.move_to_end(name)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return self._cache[name]

    def remove(self, name: str) -> None:
        self._cache.pop(name, None)
        (self._folder / f"{name}{SUFFIX}").unlink(missing_ok=True)

    def sweep(self, known: set[str]) -> None:
        """Remove what a process left that died between a file and its transaction."""
        for file in self._folder.iterdir():
            if file.suffix == ".part" or (file.suffix == SUFFIX and file.stem not in known):
                file.unlink(missing_ok=True)
