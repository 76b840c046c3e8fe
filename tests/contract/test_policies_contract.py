"""The port `Policies`: NetworkPolicies as they are read, fake and real alike."""

from typing import Any

from scaleset_operator.core.policies import (
    AddressBlock,
    Ingress,
    Operator,
    Peer,
    Policy,
    PortRange,
    ProberPlace,
    Requirement,
)
from tests.contract.worlds import World

APP = (Requirement(key="app", operator=Operator.IN, values=frozenset({"web"})),)
RICH: dict[str, Any] = {
    "podSelector": {"matchLabels": {"app": "web"}},
    "policyTypes": ["Ingress"],
    "ingress": [
        {
            "from": [
                {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
                {
                    "namespaceSelector": {},
                    "podSelector": {
                        "matchExpressions": [
                            {"key": "role", "operator": "NotIn", "values": ["a", "b"]},
                            {"key": "old", "operator": "DoesNotExist"},
                        ]
                    },
                },
            ],
            "ports": [
                {"protocol": "TCP", "port": 8000, "endPort": 8080},
                {"protocol": "UDP", "port": "dns"},
            ],
        }
    ],
}


async def namespace_of(world: World) -> str:
    return (await world.make_set()).key.namespace


async def test_a_policy_is_read_in_full(world: World) -> None:
    """S-31: selectors, blocks with their holes, ranges and names of ports."""
    namespace = await namespace_of(world)
    assert await world.policies.policies(namespace) == ()
    await world.make_policy("rich", RICH)
    others = (
        Requirement(key="role", operator=Operator.NOT_IN, values=frozenset({"a", "b"})),
        Requirement(key="old", operator=Operator.DOES_NOT_EXIST),
    )
    rule = Ingress(
        ports=(PortRange(port=8000, end_port=8080), PortRange(protocol="UDP", port="dns")),
        peers=(
            Peer(block=AddressBlock(cidr="10.0.0.0/8", excepts=("10.1.0.0/16",))),
            Peer(pods=others, namespaces=()),
        ),
    )
    assert await world.policies.policies(namespace) == (
        Policy(name="rich", selects=APP, ingress=(rule,)),
    )


async def test_what_the_api_server_fills_in_changes_nothing(world: World) -> None:
    """S-31: no policyTypes is Ingress, no protocol is TCP, and Egress alone is left out."""
    namespace = await namespace_of(world)
    await world.make_policy("a-bare", {"podSelector": {}})
    await world.make_policy("b-port", {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]})
    await world.make_policy("c-all", {"podSelector": {}, "ingress": [{}]})
    await world.make_policy("d-out", {"podSelector": {}, "policyTypes": ["Egress"]})
    assert await world.policies.policies(namespace) == (
        Policy(name="a-bare"),
        Policy(name="b-port", ingress=(Ingress(ports=(PortRange(port=80),)),)),
        Policy(name="c-all", ingress=(Ingress(),)),
    )


async def test_a_prober_that_was_told_nothing_of_its_place_knows_nothing(world: World) -> None:
    """S-31: it may run anywhere."""
    assert await world.policies.place() == ProberPlace()
