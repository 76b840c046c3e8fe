"""docs/metrics.md: every series, for people who build dashboards and alerts."""

from collections.abc import Iterator
from typing import Final

from scaleset_operator.adapters.metrics.agent import OF_FIGURE
from scaleset_operator.adapters.metrics.definition import Series
from scaleset_operator.adapters.metrics.series import SECTIONS

METRICS_FILE: Final = "metrics.md"
OF_THE_AGENT: Final = "The node agent"
"""Served by `scaleset-operator agent` alone; without labels, for a node has one agent."""
_HEAD: Final = """# Metrics

Served as `/metrics` by `scaleset-operator run`, on the port of `/healthz` and `/readyz` (8081,
unless `--port` says otherwise), in the text format of Prometheus or, where it is asked for, of
OpenMetrics. Those of the node agent are served by `scaleset-operator agent`, on each node's port
8083. Made from the operator's own definitions by `make crds`; do not edit.

Series with the label `scaleset` are there as long as the set, and go with it; so do those with the
label `rule`. Counters begin at 0 with each start of the operator, unless their meaning says
otherwise; of two operators, each counts what it did itself. Every label has a bounded set of values
at any time: instances those of a pool, at most 2000 of a rule, and destinations at most ten of a
rule.
"""


def metrics_page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for title, members in {**SECTIONS, OF_THE_AGENT: tuple(OF_FIGURE.values())}.items():
        yield f"## {title}\n"
        yield "| series | type | labels | meaning |"
        yield "| --- | --- | --- | --- |"
        yield from map(_row, members)
        yield ""


def _row(series: Series) -> str:
    labels = "<br>".join(f"`{name}`: {text}" for name, text in series.labels.items())
    return f"| `{series.name}` | {series.kind} | {labels} | {series.text} |"
