"""The metrics of all processes of a group as those of one server."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families as parsed
from prometheus_client.registry import Collector


def summed(pages: Sequence[bytes], equal: Iterable[str] = ()) -> bytes:
    """The sum of each sample. Gauges in `equal` are the same for all processes; the largest is shown."""
    return generate_latest(Pages(pages, frozenset(equal)))


class Pages(Collector):
    def __init__(self, pages: Sequence[bytes], equal: frozenset[str]) -> None:
        self._pages = pages
        self._equal = equal

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
        for page in self._pages:
            for family in parsed(page.decode()):
                families.setdefault(family.name, family)
                for sample in family.samples:
                    key = (family.name, sample.name, tuple(sorted(sample.labels.items())))
                    values[key] = self._joined(sample.name, values.get(key), sample.value)
        for name, family in families.items():
            shown = Metric(name, family.documentation, family.type)
            for (owner, sample_name, labels), value in values.items():
                if owner == name:
                    shown.add_sample(sample_name, dict(labels), value)
            yield shown

    def _joined(self, name: str, before: float | None, value: float) -> float:
        if before is None:
            return value
        if name.endswith("_created"):
            return min(before, value)
        return max(before, value) if name in self._equal else before + value
