"""The Lease loop: steps carried out, faults taken in, the tenure told; and once as a thread."""

import asyncio
import itertools
import threading
from dataclasses import replace
from typing import Any

import pytest

from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.elector import Circumstances, Elector
from scaleset_operator.adapters.cluster.lease import LeasePlace
from scaleset_operator.adapters.cluster.tenure import Tenure
from scaleset_operator.api.base import Reason
from scaleset_operator.core.election import Candidate, LeaseRecord, Seen
from scaleset_operator.reconciler.ports import Conflict, Gone, Refused, Unavailable
from tests.adapters.cluster.fake_api import Answer, FakeApi
from tests.support.fake_clock import FakeClock

PLACE = LeasePlace("ops", "scaleset-operator")
NOBODY = LeaseRecord(holder="", lasts_s=1, acquired="", renewed="", transitions=0)
PATIENCE_S = 10.0


class Store:
    """The one Lease, and faults in the order in which they come."""

    def __init__(self) -> None:
        self.lease: Seen | None = None
        self.faults: list[Exception | None] = []
        self.written: list[Seen] = []
        self._versions = itertools.count(1)

    async def read(self) -> Seen | None:
        self._fail()
        return self.lease

    async def write(self, lease: Seen) -> Seen:
        self._fail()
        if lease.version != ("" if self.lease is None else self.lease.version):
            raise Conflict
        self.lease = replace(lease, version=str(next(self._versions)))
        self.written.append(self.lease)
        return self.lease

    def _fail(self) -> None:
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault


class Stage:
    """One elector on a store, in virtual time."""

    def __init__(self) -> None:
        self.clock, self.store = FakeClock(), Store()
        self.left: list[str] = []
        self.gained = 0
        self.fit = True
        self.tenure = Tenure(self.clock.boottime_ns, self.left.append)
        around = Circumstances(fit=lambda: self.fit, gained=self._gain)
        self.elector = Elector(PLACE, Candidate(identity="here_1"), self.tenure, self.clock, around)

    def _gain(self) -> None:
        self.gained += 1

    async def steps(self, number: int) -> None:
        for _ in range(number):
            await self.elector.step(self.store)

    async def lead(self) -> None:
        """Read that there is none, and make it."""
        await self.steps(2)
        assert self.tenure.leads()


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_the_first_candidate_leads_after_two_requests_and_says_so_once(stage: Stage) -> None:
    assert stage.elector.words() == "stands by; nobody yet leads"
    await stage.lead()
    stage.clock.advance(2)
    await stage.steps(1)
    assert (stage.gained, len(stage.store.written)) == (1, 2)
    assert stage.elector.words() == "leads"
    record = stage.store.written[0].record
    assert record.renewed == "2026-11-21T08:00:00.000000Z"


async def test_a_standby_tells_who_leads(stage: Stage) -> None:
    stage.store.lease = Seen(record=replace(NOBODY, holder="there_2"), version="7")
    await stage.steps(1)
    assert stage.elector.words() == "stands by; there_2 leads"
    assert not stage.tenure.leads()


@pytest.mark.parametrize(
    "fault",
    [
        Unavailable("away"),
        TimeoutError(),
        Refused(Reason.CREATE_FORBIDDEN, "forbidden"),
        ValueError("nonsense"),
    ],
    ids=repr,
)
async def test_a_renewal_that_fails_leaves_the_tenure_to_run_out(
    stage: Stage, fault: Exception
) -> None:
    await stage.lead()
    for _ in range(9):
        stage.clock.advance(1)
        stage.store.faults = [fault, fault, fault]
        await stage.steps(1)
    assert stage.tenure.leads()
    stage.clock.advance(1)
    assert not stage.tenure.leads()
    await stage.steps(1)
    assert stage.left == ["the lease could not be renewed for 10 s"]


async def test_a_lease_that_cannot_be_made_is_told_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Its namespace is not there: that there is no Lease can be read all the same."""
    stage.store.faults = [None, Gone("namespaces nowhere not found")] * 3
    for _ in range(12):
        stage.clock.advance(2)
        await stage.steps(1)
    told = [r.getMessage() for r in caplog.records if "cannot be written" in r.getMessage()]
    assert len(told) == 1
    assert "namespaces nowhere not found" in told[0]
    assert stage.tenure.leads(), "it goes on trying"


async def test_a_renewal_counts_from_when_it_was_sent(stage: Stage) -> None:
    await stage.lead()
    stage.clock.advance(2)
    write = stage.store.write

    async def slowly(lease: Seen) -> Seen:
        stage.clock.advance(2.5)
        return await write(lease)

    stage.store.write = slowly  # type: ignore[method-assign]
    await stage.steps(1)
    stage.clock.advance(7.4)
    assert stage.tenure.leads()
    stage.clock.advance(0.2)
    assert not stage.tenure.leads()


async def test_a_leader_whose_lease_was_stolen_ends_at_once(stage: Stage) -> None:
    await stage.lead()
    stage.store.lease = Seen(record=replace(NOBODY, holder="thief", renewed="x"), version="99")
    stage.clock.advance(2)
    await stage.steps(3)
    assert stage.left == ["thief holds the lease"]


async def test_a_process_that_does_not_do_its_work_is_not_renewed(stage: Stage) -> None:
    await stage.lead()
    stage.fit = False
    stage.clock.advance(10)
    await stage.steps(1)
    assert len(stage.store.written) == 1
    assert stage.left


async def test_as_a_thread_it_leads_and_gives_the_lease_back(api: FakeApi) -> None:
    """As client-go does: no holder, and a second's length."""
    clock, gained = FakeClock(), threading.Event()
    tenure = Tenure(clock.boottime_ns, pytest.fail)
    made: dict[str, Any] = {"metadata": {"resourceVersion": "1"}}
    api.answer("GET", Answer(status=404))
    api.answer("POST", Answer(body=made | {"spec": {"holderIdentity": "here_1"}}))
    api.answer("PUT", Answer(body=made))

    async def connect() -> Connection:
        return api.connection()

    elector = Elector(
        PLACE,
        Candidate(identity="here_1"),
        tenure,
        clock,
        Circumstances(fit=lambda: True, gained=gained.set),
        connect=connect,
    )
    elector.start()
    assert await asyncio.to_thread(gained.wait, PATIENCE_S)
    await asyncio.to_thread(elector.give_back)
    assert not tenure.leads()
    put = api.requests[-1]
    assert (put.method, put.body["metadata"]["resourceVersion"]) == ("PUT", "1")
    assert put.body["spec"]["holderIdentity"] == ""
    assert put.body["spec"]["leaseDurationSeconds"] == 1


async def test_a_lease_that_somebody_touched_is_given_back_all_the_same(api: FakeApi) -> None:
    """The standby may have written its address into it."""
    clock, gained = FakeClock(), threading.Event()
    spec = {"spec": {"holderIdentity": "here_1"}}
    api.answer("GET", Answer(status=404))
    api.answer("POST", Answer(body={"metadata": {"resourceVersion": "1"}} | spec))
    api.answer("PUT", Answer(status=409))
    api.answer("GET", Answer(body={"metadata": {"resourceVersion": "2"}} | spec))
    api.answer("PUT", Answer(body={"metadata": {"resourceVersion": "3"}}))
    fails: list[Exception] = [Unavailable("not yet")]

    async def connect() -> Connection:
        if fails:
            raise fails.pop()
        return api.connection()

    elector = Elector(
        PLACE,
        Candidate(identity="here_1"),
        Tenure(clock.boottime_ns, pytest.fail),
        clock,
        Circumstances(fit=lambda: True, gained=gained.set),
        connect=connect,
    )
    elector.start()
    assert await asyncio.to_thread(gained.wait, PATIENCE_S)
    await asyncio.to_thread(elector.give_back)
    assert api.requests[-1].body["metadata"]["resourceVersion"] == "2"
