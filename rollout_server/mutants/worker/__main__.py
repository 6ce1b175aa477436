"""Lists the mutants, one JSON object a line."""

from rollout_conformance.rollout_server.mutants.worker import CATALOGUE

CATALOGUE.print()
