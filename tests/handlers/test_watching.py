"""What is registered with kopf, what a listener hands over, and the settings chosen."""

from collections.abc import Mapping
from typing import Any

import kopf
import pytest

from scaleset_operator.handlers import watching
from scaleset_operator.handlers.watching import KINDS, registry, settings

BODY = {"metadata": {"namespace": "default", "name": "web"}, "spec": {}}


class Ear:
    """Keeps what was heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bool, Mapping[str, Any]]] = []

    def __call__(self, kind: str, gone: bool, body: Mapping[str, Any]) -> None:  # noqa: FBT001 - shape of Heard
        self.heard.append((kind, gone, body))


def listener(ear: Ear, kind: str) -> Any:
    handlers = registry(ear)._watching.get_all_handlers()  # noqa: SLF001 - kopf shows them nowhere
    return next(handler.fn for handler in handlers if handler.id == kind)


def test_only_events_of_our_kinds_and_the_login_are_registered() -> None:
    """No handler that detects changes: kopf writes no annotation and no finalizer for events."""
    made = registry(Ear())
    events = made._watching.get_all_handlers()  # noqa: SLF001 - kopf shows them nowhere
    assert [handler.id for handler in events] == list(KINDS)
    assert KINDS == ("scalesets", "healthprobes", "maintenancewindows", "outboundrules")
    selectors = [handler.selector for handler in events]
    assert [(s.group, s.version, s.plural or s.any_name) for s in selectors if s is not None] == [
        ("scaleset.dev", "v1alpha1", kind) for kind in KINDS
    ]
    assert [h.id for h in made._activities.get_all_handlers()] == ["login"]  # noqa: SLF001
    others = (made._changing, made._spawning, made._indexing, made._webhooks)  # noqa: SLF001
    assert [list(other.get_all_handlers()) for other in others] == [[], [], [], []]


def test_two_registries_share_nothing() -> None:
    assert registry(Ear()) is not registry(Ear())
    assert list(kopf.get_default_registry()._watching.get_all_handlers()) == []  # noqa: SLF001


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("told", "gone"), [(None, False), ("ADDED", False), ("MODIFIED", False), ("DELETED", True)]
)
def test_a_listener_hands_over_the_kind_whether_it_is_gone_and_the_object(
    kind: str, told: str | None, *, gone: bool
) -> None:
    ear = Ear()
    assert (
        listener(ear, kind)(event={"type": told, "object": BODY}, name="web", memo=object()) is None
    )
    assert ear.heard == [(kind, gone, BODY)]


def test_logging_in_is_the_official_clients_business(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    answer = kopf.ConnectionInfo(server="https://127.0.0.1:6443")

    def by_client(**kwargs: Any) -> kopf.ConnectionInfo:
        asked.append(kwargs)
        return answer

    monkeypatch.setattr(kopf, "login_via_client", by_client)
    assert watching.login(logger="l") is answer
    assert asked == [{"logger": "l"}]


def test_kopf_posts_nothing_scans_nothing_and_takes_part_in_no_peering() -> None:
    chosen = settings()
    assert chosen.posting.enabled is False
    assert chosen.scanning.disabled is True
    assert chosen.peering.standalone is True


def test_kopf_outlasts_minutes_without_an_api_server() -> None:
    """Fifteen minutes of back-off, and never a request without a time-out."""
    chosen = settings()
    backoffs = chosen.networking.error_backoffs
    assert isinstance(backoffs, list)
    assert sum(backoffs) >= 15 * 60
    assert backoffs == sorted(backoffs)
    assert chosen.networking.request_timeout == 30
    assert chosen.watching.connect_timeout == 10


def test_watches_are_renewed_by_the_server_before_the_client_gives_them_up() -> None:
    chosen = settings()
    assert chosen.watching.server_timeout is not None
    assert chosen.watching.client_timeout is not None
    assert chosen.watching.server_timeout < chosen.watching.client_timeout


def test_a_worker_per_object_lingers_for_a_moment_only() -> None:
    chosen = settings()
    assert chosen.queueing.idle_timeout == 0.2
    assert chosen.queueing.worker_limit is None
    assert chosen.execution.max_workers == 4
    assert chosen.process.ultimate_exiting_timeout == 20
