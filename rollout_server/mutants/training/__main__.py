"""Lists the mutants, one JSON object a line."""

from rollout_conformance.rollout_server.mutants.training import CATALOGUE

CATALOGUE.print()
