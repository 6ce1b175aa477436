"""The former name of the plugin for pytest, for environments that were installed before it became a package."""

from rollout_conformance.steps.pytest_plugin import pytest_collect_file as pytest_collect_file
from rollout_conformance.steps.pytest_plugin import pytest_configure as pytest_configure
from rollout_conformance.steps.pytest_plugin import pytest_load_initial_conftests as pytest_load_initial_conftests
