from rollout_conformance.rollout_server.mutants.rollout import create_app as create_app
