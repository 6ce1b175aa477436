"""Lists the mutants, one JSON object a line."""

from rollout_conformance.rollout_server.mutants.router import CATALOGUE

CATALOGUE.print()
