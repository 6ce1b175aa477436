"""Lists the mutants, a JSON object a line."""

import json
import sys

from rollout_conformance.rollout_server.mutants.trainer import ALL

for mutant in ALL.values():
    sys.stdout.write(json.dumps(mutant.described()) + "\n")
