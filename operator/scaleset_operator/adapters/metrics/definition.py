"""What a series is: its name, its kind, its labels and what it means.

Must not know: any one series, or the library that exposes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a series does over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series, or one for each combination of its labels.

    Attributes:
        name: as Prometheus stores it; of a histogram, without _bucket, _sum and _count.
        text: what it means, in one sentence.
        labels: label -> what its values are. A series with `scaleset` goes with the set.
        buckets: upper bounds of a histogram, without the infinite one.
    """

    name: str
    kind: Kind
    text: str
    labels: Mapping[str, str] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()
