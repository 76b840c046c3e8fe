"""The page of all series: that it is what the definitions say, and that they say enough."""

from pathlib import Path

import pytest

from scaleset_operator.adapters.metrics import series
from scaleset_operator.adapters.metrics.definition import Kind, Series
from scaleset_operator.adapters.metrics.page import METRICS_FILE, metrics_page

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_in_docs_is_the_one_that_is_made() -> None:
    assert (DOCS / METRICS_FILE).read_text(encoding="utf-8") == metrics_page()


@pytest.mark.parametrize("one", series.ALL, ids=lambda one: one.name)
def test_every_series_stands_on_the_page_with_its_labels_and_its_meaning(one: Series) -> None:
    (row,) = [line for line in metrics_page().splitlines() if line.startswith(f"| `{one.name}` ")]
    assert f"| {one.kind} |" in row
    assert one.text in row
    assert all(f"`{label}`: {text}" in row for label, text in one.labels.items())


@pytest.mark.parametrize("one", series.ALL, ids=lambda one: one.name)
def test_every_series_is_named_and_described_as_prometheus_asks(one: Series) -> None:
    assert one.name.endswith("_total") is (one.kind is Kind.COUNTER)
    assert bool(one.buckets) is (one.kind is Kind.HISTOGRAM)
    assert one.text.endswith(".")
    assert "|" not in one.text
    assert ("namespace" in one.labels) == bool({"scaleset", "rule"} & one.labels.keys())


def test_no_name_stands_twice() -> None:
    names = [one.name for one in series.ALL]
    assert len(names) == len(set(names))
