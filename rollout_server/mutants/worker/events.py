"""Defects of the order and the bodies of events."""

from rollout_conformance.rollout_server.mutants.framework import Mutant
from rollout_conformance.rollout_server.mutants.worker.patches import body, member

MUTANTS = (
    Mutant(
        "started_other_job",
        breaks="002",
        what="started has another job_id",
        patch=body("started", lambda started: started | {"job_id": f"{started['job_id']}-1"}),
    ),
    Mutant(
        "model_unnamed",
        breaks="004",
        what="started names another model",
        patch=body("started", member("model", "default")),
    ),
)
