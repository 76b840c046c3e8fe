"""One replica of several, wired: what it writes, whom it asks, and how it leaves."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaleset_operator.adapters import probes as adapter
from scaleset_operator.adapters.candidacy import Candidacy, Membership, OnlyReplica
from scaleset_operator.adapters.cluster.pacing import Urgency
from scaleset_operator.adapters.probes import ProberProbes
from scaleset_operator.adapters.vantage.exchange import Asked, question
from scaleset_operator.reconciler.outlook import NoVantage
from scaleset_operator.reconciler.ports import Key, Unavailable
from tests.adapters.cluster.fake_api import Answer, FakeApi, until
from tests.adapters.cluster.test_connection import post
from tests.adapters.test_probes import FakeLink, target
from tests.support.fake_calendar import FakeCalendar

SECRET = b"shared by both of them"
WEB = Key("shop", "web")


class Stage:
    """A replica on a scripted API server."""

    def __init__(self, api: FakeApi, folder: Path, *, secret: bool = True) -> None:
        self.api = api
        self.clock = FakeCalendar()
        file = folder / "key"
        file.write_bytes(SECRET)
        member = Membership(
            namespace="ops", lease="so", pod="so-1", secret=str(file) if secret else ""
        )
        self.replica = Candidacy(member, self.clock)
        self.probes = ProberProbes(self.clock, lambda _: None)
        self.vantage = self.replica.vantage(self.probes)
        self.gained = asyncio.Event()

    def start(self) -> None:
        self.replica.start("192.0.2.1:8081", lambda: True, self.gained.set)

    def words(self) -> str:
        assert self.replica.words is not None
        return self.replica.words()

    def bodies(self, method: str) -> list[dict[str, Any]]:
        return [r.body for r in self.api.requests if r.method == method]


def lease(holder: str, version: str, **marks: str) -> Answer:
    metadata = {"resourceVersion": version, "annotations": marks}
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": version}
    return Answer(body={"metadata": metadata, "spec": spec})


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server that the kubeconfig of the environment names."""
    api = FakeApi()
    await api.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
        "clusters": [{"name": "it", "cluster": {"server": api.url}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr(adapter, "ProberLink", FakeLink)
    monkeypatch.setattr("uuid.uuid4", lambda: "x")
    yield api
    await api.close()


async def test_a_replica_leads_and_writes_and_leaves_the_place_free(
    api: FakeApi, tmp_path: Path
) -> None:
    """R-17: before and after, nothing can be written."""
    stage = Stage(api, tmp_path)
    connection = api.connection()
    stage.replica.fence(connection)
    assert stage.words() == "not yet a candidate"
    with pytest.raises(Unavailable):
        await connection.write(post(), Urgency.ACT)
    api.answer("GET", Answer(status=404))
    api.answer("POST", lease("so-1_x", "1"), Answer())
    api.answer("PUT", lease("", "2"))
    stage.start()
    await asyncio.wait_for(stage.gained.wait(), 10)
    assert stage.words() == "leads"
    await connection.write(post(), Urgency.ACT)
    await connection.close()
    await stage.replica.close()
    made, written = stage.bodies("POST")
    assert made["metadata"]["name"] == "so"
    assert made["spec"]["holderIdentity"] == "so-1_x"
    assert written == {"a": "ä"}
    assert not stage.replica.leadership.leads()


async def test_a_standby_says_where_it_answers(api: FakeApi, tmp_path: Path) -> None:
    stage = Stage(api, tmp_path)
    api.answer("GET", lease("so-2", "1"))
    api.answer("PUT", lease("so-2", "2", **{"scaleset.dev/vantage": "192.0.2.1:8081"}))
    stage.start()
    await until(lambda: bool(stage.bodies("PUT")))
    marks = stage.bodies("PUT")[0]["metadata"]["annotations"]
    assert marks == {"scaleset.dev/vantage": "192.0.2.1:8081"}
    await until(lambda: stage.words() == "stands by; so-2 leads")
    assert not stage.gained.is_set()
    await stage.replica.close()


async def test_it_answers_what_its_prober_has_heard(api: FakeApi, tmp_path: Path) -> None:
    stage = Stage(api, tmp_path)
    watched = target("a", ip="10.0.0.7")
    stage.probes.watch(WEB, {"a": watched})
    assert stage.vantage.votes("a") is None
    assert stage.vantage.votes("b") is None
    assert stage.replica.answer(question(SECRET, "n", [Asked.of(watched)])) is not None
    assert stage.replica.answer(b"anything") is None
    assert not stage.replica.votes()


async def test_without_a_secret_there_are_no_votes_and_no_address(
    api: FakeApi, tmp_path: Path
) -> None:
    stage = Stage(api, tmp_path, secret=False)
    assert isinstance(stage.vantage, NoVantage)
    assert stage.replica.answer(b"anything") is None
    api.answer("GET", lease("so-2", "1"))
    stage.start()
    await until(lambda: stage.words() == "stands by; so-2 leads")
    await stage.replica.close()
    assert stage.bodies("PUT") == []


async def test_the_only_replica_leads_and_asks_nobody(api: FakeApi) -> None:
    only = OnlyReplica()
    assert only.leadership.leads()
    connection = api.connection()
    only.fence(connection)
    api.answer("POST", Answer())
    await connection.write(post(), Urgency.ACT)
    await connection.close()
    only.start("192.0.2.1:8081", lambda: True, pytest.fail)
    assert isinstance(only.vantage(ProberProbes(FakeCalendar(), lambda _: None)), NoVantage)
    assert (only.answer(b"x"), only.votes(), only.words) == (None, False, None)
    await only.close()
