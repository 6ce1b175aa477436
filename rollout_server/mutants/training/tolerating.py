"""Patches that make the server take what it refuses."""

from types import ModuleType
from typing import Any

from pydantic import BaseModel

from rollout_conformance.rollout_server.mutants.framework import Patch, around
from rollout_conformance.rollout_server.training.errors import UserError


def tolerating(module: ModuleType, message: type[BaseModel], member: str, instead: Any, *, keep: bool = False) -> Patch:
    """A bad `member` of this message is replaced by `instead`; with `keep` the message shows the bad value all the same."""

    def change(original: Any, body: dict[str, Any], model: type[BaseModel]) -> Any:
        if model is not message or member not in body:
            return original(body, model)
        try:
            return original(body, model)
        except UserError:
            given = original({**body, member: instead}, model)
            return given.model_copy(update={member: body[member]}) if keep else given

    return around(module, "validate", change)
