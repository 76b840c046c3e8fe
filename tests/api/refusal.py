"""The form of a wrong input: what is wrong, and what its refusal must say.

Must not know: who refuses; an API server with the CRDs is asked in tests/integration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.api.manifests import Manifest


@dataclass(frozen=True)
class Case:
    """One wrong input."""

    what: str
    kind: str
    changes: Manifest
    field: str
    allowed: str
    name: str = "sample"

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


POLICY: Final = "spec.automaticRepairsPolicy"
GRACE: Final = f"{POLICY}.gracePeriod"
NOTICE: Final = "spec.terminateNotificationProfile.notBeforeTimeout"
ROLLING: Final = "spec.upgradePolicy.rollingUpgradePolicy"
EXTENDED: Final = {f"{POLICY}.limits": "Extended"}
PATTERN: Final = "should match '^P([0-9]{1,4}D|T("
