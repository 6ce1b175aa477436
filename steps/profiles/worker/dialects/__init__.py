"""The dialects of inference workers by their names, each a reading of one table of events."""

from collections.abc import Mapping

from rollout_conformance.steps.profiles.worker.dialects import llamacpp, orcd, sglang, tgi, vllm_generate
from rollout_conformance.steps.profiles.worker.dialects.base import Dialect

DIALECTS: Mapping[str, Dialect] = {
    one.name: one for one in (orcd.DIALECT, vllm_generate.DIALECT, sglang.DIALECT, tgi.DIALECT, llamacpp.DIALECT)
}
