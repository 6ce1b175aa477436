"""The mutants of the reference worker; see `mutants/framework.py`."""

from rollout_conformance.rollout_server.mutants.framework import Catalogue, by_name
from rollout_conformance.rollout_server.mutants.worker import events

CATALOGUE = Catalogue(
    requirements="WORKER",
    variable="WORKER_MUTANT",
    app="rollout_conformance.rollout_server.worker.app",
    dialects=("orcd",),
    mutants=by_name(events.MUTANTS),
)
ALL = CATALOGUE.mutants
create_app = CATALOGUE.create_app
