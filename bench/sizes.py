"""How much is measured: the full run, and the smoke run that only shows that it works."""

from __future__ import annotations

from dataclasses import dataclass

SEED = 20260
"""Of every choice the harness makes, such as which instances break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of a run; times are seconds.

    Attributes:
        rounds: of each interleaved comparison.
        targets, interval: of the probers compared for G1.
        crowd: targets of G2; where they are those of G1, its rounds serve for both.
        crowd_rounds: spans of two intervals watched for late ones.
        fleet: instances of the sets for G4, G6, G7, G8 and for kopf's index.
        deletions: replacements timed per side and round, for G4.
        events: pod events per round, for G6.
        large: instances of the sets for G5, G7, G10.
        largest: instances of the set for G3 and G9.
        broken: instances broken at once, for G3; 0: those broken for G8 serve for both.
        scale_rounds: of G5.
        steady: how long the steady state is watched, for G9.
        settle: for something just started or scaled to come to rest, and late reports to be made.
        budget: the whole run; rounds beyond the first are left out when it runs short.
        patience: how long anything is waited for.
    """

    rounds: int
    targets: int
    interval: float
    crowd: int
    crowd_rounds: int
    fleet: int
    deletions: int
    events: int
    large: int
    largest: int
    broken: int
    scale_rounds: int
    steady: float
    settle: float
    budget: float
    patience: float


FULL = Size(
    rounds=4,
    targets=10_000,
    interval=5,
    crowd=50_000,
    crowd_rounds=2,
    fleet=1_000,
    deletions=10,
    events=1_000,
    large=5_000,
    largest=10_000,
    broken=100,
    scale_rounds=2,
    steady=300,
    settle=4,
    budget=1_140,
    patience=180,
)

SMOKE = Size(
    rounds=1,
    targets=2_000,
    interval=1,
    crowd=2_000,
    crowd_rounds=1,
    fleet=80,
    deletions=3,
    events=400,
    large=80,
    largest=120,
    broken=0,
    scale_rounds=1,
    steady=3,
    settle=1,
    budget=90,
    patience=40,
)
