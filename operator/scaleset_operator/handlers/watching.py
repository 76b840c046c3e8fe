"""The registry: which events are heard, and what becomes of one. Plain functions, no side effect.

Registered explicitly, so importing this module changes nothing. Event handlers only: kopf then
writes neither annotations nor finalizers (reference: kopf stores no progress for them).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import kopf

from scaleset_operator.api.base import GROUP, VERSION

SCALE_SETS: Final = "scalesets"
HEALTH_PROBES: Final = "healthprobes"
MAINTENANCE_WINDOWS: Final = "maintenancewindows"
OUTBOUND_RULES: Final = "outboundrules"
KINDS: Final = (SCALE_SETS, HEALTH_PROBES, MAINTENANCE_WINDOWS, OUTBOUND_RULES)

Heard = Callable[[str, bool, Mapping[str, Any]], None]
"""Called with the plural kind, whether the object is gone, and the object itself."""


def registry(heard: Heard) -> kopf.OperatorRegistry:
    """All handlers, in a registry of their own."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers, id="login", errors=kopf.ErrorsMode.PERMANENT)(login)
    for kind in KINDS:
        kopf.on.event(GROUP, VERSION, kind, registry=handlers, id=kind)(_listener(kind, heard))
    return handlers


def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Kubeconfig or service account, by the official client's own rules."""
    return kopf.login_via_client(**kwargs)


def _listener(kind: str, heard: Heard) -> Callable[..., None]:
    def listen(event: kopf.RawEvent, **_: Any) -> None:
        heard(kind, event["type"] == "DELETED", event["object"])

    return listen


def settings() -> kopf.OperatorSettings:
    """The settings of kopf, chosen on purpose; the reason stands beside each."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False  # Events are the recorder's, aggregated.
    chosen.scanning.disabled = True  # The CRDs are waited for before kopf starts.
    chosen.peering.standalone = True  # The ledger keeps the cap, not kopf's peering.
    chosen.queueing.idle_timeout = 0.2  # A worker per object lingers this long: memory.
    chosen.queueing.worker_limit = None  # A limit would throttle to limit / idle_timeout.
    chosen.watching.server_timeout = 300  # Streams are renewed before proxies cut them.
    chosen.watching.client_timeout = 330
    chosen.watching.connect_timeout = 10
    chosen.networking.request_timeout = 30
    # Fifteen minutes of back-off: an API server that is away must not end the watching.
    chosen.networking.error_backoffs = [1, 1, 2, 3, 5, 8, 13, 21, *[30] * 30]
    chosen.execution.max_workers = 4  # No handler blocks; the default pool is larger.
    chosen.process.ultimate_exiting_timeout = 20
    return chosen
