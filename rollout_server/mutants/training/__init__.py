"""The mutants of the reference training server; see `mutants/framework.py`."""

from rollout_conformance.rollout_server.mutants.framework import Catalogue, by_name

CATALOGUE = Catalogue(
    requirements="TRAINING",
    variable="TRAINING_MUTANT",
    app="rollout_conformance.rollout_server.training.app",
    dialects=("signal", "tinker-json"),
    mutants=by_name(),
)
ALL = CATALOGUE.mutants
create_app = CATALOGUE.create_app
