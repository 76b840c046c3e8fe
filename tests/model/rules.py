"""Where each of the 28 rules of the repair protocol is looked at.

A rule is an invariant of the model, a guard of it, or a trouble that it lets come. Only how things
are written stands elsewhere: that is proved on a real API server.
"""

from __future__ import annotations

from typing import Final

TROUBLES: Final = {
    "crash": (11, 21),
    "lost": (3, 11),
    "lost answer": (3, 6, 11),
    "conflict": (3, 25),
    "refuse": (4,),
    "stale": (3, 5, 6),
    "news": (3, 4, 6),
    "fail": (4,),
    "recover": (4, 8),
    "bad start": (9, 12),
    "silent start": (18,),
    "silence": (15, 16),
    "all silent": (18, 20),
    "late": (16,),
    "node": (17,),
    "node down": (15, 17),
    "scale in": (2, 6, 7, 24),
    "scale out": (1,),
    "new model": (7, 10, 12, 22, 23),
    "enable": (14,),
    "resume": (13,),
    "old resume": (13,),
    "person": (6, 7),
    "protect": (4, 24),
    "approve": (8,),
    "blind": (18, 20),
    "shut": (18, 19, 20),
    "sight": (19,),
}
"""Kind of trouble -> the rules that are about it."""

GUARDS: Final = {
    "too_old": (5,),
    "_is_as_read": (5,),
    "_records": (3, 24),
}
"""Function of the model that stands for what the reconciler does -> its rules."""

ELSEWHERE: Final = {
    25: ("tests/contract/test_cluster_contract_status.py",),
    26: ("tests/contract/test_cluster_contract.py",),
    27: ("tests/api/test_durations.py",),
}
"""Number of the rule -> files of tests that prove it."""
