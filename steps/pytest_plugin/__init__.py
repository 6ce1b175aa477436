"""The plugin for pytest: `pytest features/` plays features and scenarios, `pytest contracts/` fuzzes contracts.

It is loaded in every pytest session of an environment that has the suite, and does nothing there until one of its options is given or a file
of its own is collected (`own_files`). Only then are signals handled, markers registered and the rest of the suite imported.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollout_conformance.steps.pytest_plugin import arguments, options, own_files


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> Iterator[None]:
    """Options come last, so that a conftest or another plugin may have one of the same name."""
    yield
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    given = options.of(config)
    config.args[:] = [widened for arg in config.args for widened in arguments.widened(arg, config)]
    if given.contract is not None:
        if not given.contract.is_file():
            raise pytest.UsageError(f"--contract {given.contract}: there is no such file")
        config.args.append(str(given.contract.resolve()))
    if given != options.DEFAULTS or getattr(config.option, "markers", False):
        _session(config)
    if getattr(config.option, "markers", False):
        from rollout_conformance.steps import catalogues
        from rollout_conformance.steps.pytest_plugin import markers

        for name in catalogues.readable():
            markers.register(config, name)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    from rollout_conformance.steps.pytest_plugin.xdist_schedule import scheduler

    return scheduler(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    from rollout_conformance.steps.pytest_plugin import workers

    workers.take(node.config, node.gateway.id, getattr(node, "workeroutput", {}))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    kind = own_files.kind(file_path, parent.config)
    if kind is None:
        return None
    _session(parent.config)
    from rollout_conformance.steps.pytest_plugin import case_items, contract_items

    collector: Any = {
        own_files.FEATURE: case_items.FeatureFile,
        own_files.SCENARIO: case_items.ScenarioFile,
        own_files.CONTRACT: contract_items.ContractFile,
    }[kind]
    found: pytest.Collector = collector.from_parent(parent, path=file_path)
    return found


def _session(config: pytest.Config) -> None:
    """From now on this session is one of the suite."""
    from rollout_conformance.steps.pytest_plugin.session import session_of

    session_of(config)
