"""What the contract would not generate, and a server may accept, is no breach when it does."""

from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.fuzzing import contract, wider_schemas
from rollout_conformance.steps.paths import ROOT

SIGNAL = contract.load(Path(ROOT / "contracts/training/openapi.signal.yaml"), "signal").spec
STEP = "/runs/{run_id}/forward_backward"


@pytest.mark.parametrize(
    ("path", "body", "may"),
    [
        ("/runs", {"base_model": "a/b", "warmup_steps": 2_000_000}, True),
        ("/runs", {"base_model": "a/b", "warmup_steps": -1}, False),
        ("/runs", {"base_model": "a/b", "warmup_steps": "2"}, False),
        ("/runs", {"warmup_steps": 2_000_000}, False),
        (STEP, {"batch_data": [{"text": "你好"}]}, True),
        (STEP, {"batch_data": [{"text": 7}]}, False),
        ("/nowhere", {}, False),
    ],
)
def test_only_the_bounds_of_marked_schemas_are_ignored(path: str, body: Any, may: bool) -> None:
    assert wider_schemas.accepts(SIGNAL, "POST", path, body) is may
