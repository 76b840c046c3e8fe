"""A scrape as a test reads it: parsed by the library's own parser, asked by name and labels."""

from prometheus_client.parser import text_string_to_metric_families

from scaleset_operator.adapters.metrics.definition import Kind, Series
from scaleset_operator.adapters.metrics.registry import Metrics

Labels = frozenset[tuple[str, str]]
SUFFIXES = ("_bucket", "_sum", "_count")


class Scrape:
    """One page of metrics.

    Attributes:
        samples: by name and labels.
        kinds: the type of each family, by the name that Prometheus stores.
    """

    def __init__(self, text: str) -> None:
        self.samples: dict[tuple[str, Labels], float] = {}
        self.kinds: dict[str, str] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                at = (sample.name, frozenset(sample.labels.items()))
                assert at not in self.samples, f"{at} stands twice"
                self.samples[at] = sample.value
                self.kinds[_stem(sample.name, family.type)] = family.type

    def value(self, one: Series | str, **labels: str) -> float | None:
        """The value with exactly these labels; None where there is none."""
        name = one if isinstance(one, str) else one.name
        return self.samples.get((name, frozenset(labels.items())))

    def rows(self, one: Series) -> list[dict[str, str]]:
        """The labels of every sample of a series, buckets left out."""
        names = {one.name, f"{one.name}_count"}
        return [dict(labels) for name, labels in self.samples if name in names]

    def total(self, one: Series, **labels: str) -> float:
        """The sum over all samples that have these labels, and others."""
        wanted = labels.items()
        return sum(
            value
            for (name, found), value in self.samples.items()
            if name == one.name and wanted <= set(found)
        )


def _stem(name: str, kind: str) -> str:
    if kind == Kind.HISTOGRAM:
        for suffix in SUFFIXES:
            name = name.removesuffix(suffix)
    return name


def scrape(metrics: Metrics) -> Scrape:
    return Scrape(metrics.page("")[0].decode())
