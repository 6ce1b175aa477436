"""The proxy server of LMDeploy in front of nodes that are registered before it starts: `serve.py PORT MODEL NODE ...`.

The proxy needs neither the engines nor torch, which the packages around it import: those stand here without their contents.
"""

import sys
from importlib.util import find_spec
from types import ModuleType

BELOW = "lmdeploy"


def package_without_contents(name: str) -> None:
    """A package whose modules can be imported, and whose own `__init__` is not run."""
    spec = find_spec(name)
    assert spec is not None
    package = ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[name] = package


class Absent(ModuleType):
    """A package that is not installed, of which modules around the proxy use the types in annotations."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return object


for missing in ("torch", "transformers"):
    sys.modules[missing] = Absent(missing)
for name in (BELOW, f"{BELOW}.serve", f"{BELOW}.serve.core"):
    package_without_contents(name)

from lmdeploy.serve.proxy import proxy  # noqa: E402

port, model, *nodes = sys.argv[1:]
proxy.node_manager.cache_status = False
for node in nodes:
    proxy.node_manager.add(node, proxy.Status(models=[model]))
proxy.proxy(server_name="127.0.0.1", server_port=int(port), disable_cache_status=True, log_level="WARNING")
