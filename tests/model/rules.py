"""Where each of the 28 rules of the repair protocol is looked at.

A rule is a move of the model, an invariant of it, or stands in the real `decide` and is proved by
the tests named here: those about silence need evidence over time, those about writing a real API
server.
"""

from __future__ import annotations

from typing import Final

ELSEWHERE: Final = {
    8: ("tests/core/test_notice.py",),
    10: ("tests/core/test_renewal.py",),
    12: ("tests/core/test_suspension.py",),
    13: ("tests/core/test_suspension.py",),
    15: ("tests/core/test_doubt.py",),
    16: ("tests/core/test_doubt.py",),
    17: ("tests/core/test_doubt.py",),
    18: ("tests/core/test_witness.py", "tests/simulation/test_silence.py"),
    19: ("tests/core/test_doubt.py",),
    20: ("tests/core/test_witness.py", "tests/simulation/test_silence.py"),
    21: ("tests/core/test_health.py",),
    25: ("tests/contract/test_cluster_contract_status.py",),
    26: ("tests/contract/test_cluster_contract.py",),
    27: ("tests/api/test_durations.py",),
}
"""Number of the rule -> files of tests that prove it."""
