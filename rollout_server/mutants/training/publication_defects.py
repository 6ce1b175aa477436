"""Defects of the publication of checkpoints, in the dialect `tinker-json`."""

from typing import Any

from rollout_conformance.rollout_server.common import json_text
from rollout_conformance.rollout_server.mutants.framework import Mutant, around, every
from rollout_conformance.rollout_server.mutants.training.arithmetic import TINKER
from rollout_conformance.rollout_server.training import checkpoints
from rollout_conformance.rollout_server.training.checkpoints import Checkpoints, Path


def _stays_private(original: Any, self: Checkpoints, user: str, path: Path, public: bool) -> None:
    self.find(user, path)


def _stays_public(original: Any, self: Checkpoints, user: str, path: Path, public: bool) -> None:
    if public:
        original(self, user, path, public)


def _whole_model(original: Any, self: Checkpoints, user: str, path: Path, public: bool) -> None:
    self.find(user, path)
    for row in self.of_model(user, path.model):
        about = json_text.dumps({**checkpoints.about_of(row), "public": public}).decode()
        self._database.run("UPDATE checkpoints SET about = ? WHERE file = ?", about, row["file"])


_published: set[Path] = set()


def _notes(original: Any, self: Checkpoints, user: str, path: Path, public: bool) -> None:
    _published.add(path)
    original(self, user, path, public)


def _once_public(original: Any, self: Checkpoints, user: str, path: Path) -> Any:
    """As a cache of access does that nothing clears."""
    return self._row(path) if path in _published else original(self, user, path)


MUTANTS = (
    Mutant(
        "publication_without_effect", breaks="053", what="the publication of a checkpoint is acknowledged without effect",
        patch=around(Checkpoints, "set_public", _stays_private), dialects=TINKER,
    ),
    Mutant(
        "publication_stays", breaks="053", what="a checkpoint whose publication is undone stays public",
        patch=around(Checkpoints, "set_public", _stays_public), dialects=TINKER,
    ),
    Mutant(
        "publication_of_the_model", breaks="053", what="all checkpoints of a model are published with one",
        patch=around(Checkpoints, "set_public", _whole_model), dialects=TINKER,
    ),
    Mutant(
        "access_stays", breaks="053", what="a checkpoint that is listed as private again is readable for every tenant",
        patch=every(around(Checkpoints, "set_public", _notes), around(Checkpoints, "readable", _once_public)), dialects=TINKER,
    ),
)  # fmt: skip
