"""The reader of NetworkPolicies: what it asks, and what it makes of a No."""

from typing import Any

import pytest

from scaleset_operator.adapters.cluster.connection import Call
from scaleset_operator.adapters.cluster.policies import MOST_READ, PolicyReader
from scaleset_operator.api.base import Reason
from scaleset_operator.core.policies import ProberPlace
from scaleset_operator.reconciler.ports import Gone, Refused, Unavailable

POD: dict[str, Any] = {
    "metadata": {"labels": {"app": "operator"}},
    "spec": {},
    "status": {"podIPs": [{"ip": "10.0.0.9"}, {"ip": "fd00::9"}]},
}
NAMESPACE: dict[str, Any] = {"metadata": {"labels": {"team": "platform"}}}


class Answers:
    """A connection that answers by path, or fails."""

    def __init__(self, answers: dict[str, dict[str, Any] | Exception]) -> None:
        self.answers = answers
        self.asked: list[Call] = []

    async def read(self, call: Call) -> dict[str, Any]:
        self.asked.append(call)
        answer = self.answers.get(call.path, Gone(call.path))
        if isinstance(answer, Exception):
            raise answer
        return answer


def reader(answers: Answers, **place: str) -> PolicyReader:
    return PolicyReader(answers, **place)  # type: ignore[arg-type] # its one method is all there is


OPS = "/api/v1/namespaces/ops"
OWN = f"{OPS}/pods/op-1"
PATH = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"


@pytest.mark.parametrize(
    "fault",
    [
        Refused(Reason.CREATE_FORBIDDEN, "networkpolicies is forbidden"),
        Unavailable("503"),
        Gone("404"),
    ],
)
async def test_policies_that_cannot_be_read_are_not_known(fault: Exception) -> None:
    """S-31: 403 is no fault of anybody's; it is only less to say."""
    assert await reader(Answers({PATH: fault})).policies("shop") is None


async def test_more_policies_than_are_read_are_not_known() -> None:
    """S-31: the one that was not read may admit us."""
    answers = Answers({PATH: {"metadata": {"continue": "more"}, "items": []}})
    assert await reader(answers).policies("shop") is None
    assert answers.asked[0].query == {"limit": MOST_READ}


async def test_the_own_place_is_that_of_the_own_pod() -> None:
    """S-31."""
    answers = Answers({OPS: NAMESPACE, OWN: POD})
    assert await reader(answers, namespace="ops", pod="op-1").place() == ProberPlace(
        namespace="ops",
        namespace_labels={"team": "platform"},
        labels={"app": "operator"},
        addresses=("10.0.0.9", "fd00::9"),
    )


async def test_a_pod_on_the_network_of_its_node_is_nowhere() -> None:
    """S-31: no selector names it, and CNIs let a node reach its own pods."""
    pod = POD | {"spec": {"hostNetwork": True}}
    answers = Answers({OPS: NAMESPACE, OWN: pod})
    assert await reader(answers, namespace="ops", pod="op-1").place() == ProberPlace()


async def test_what_may_not_be_read_of_the_own_place_is_not_known() -> None:
    """S-31: its namespace still is."""
    no = Refused(Reason.CREATE_FORBIDDEN, "forbidden")
    answers = Answers({OPS: no, OWN: no})
    found = await reader(answers, namespace="ops", pod="op-1").place()
    assert found == ProberPlace(namespace="ops")
    assert await reader(answers).place() == ProberPlace()
