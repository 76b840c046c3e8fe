"""An API server that asks who may keep an owner from going, as OpenShift's does.

Its admission plugin OwnerReferencesPermissionEnforcement lets nobody create what blocks the
deletion of its owner who may not update that owner's finalizers.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from localcluster.cluster import LocalCluster, Tuning
from localcluster.components import APISERVER
from manifests.generator.sources import NAME, NAMESPACE
from tests.integration.accounts import account_serving, applied, kubeconfig_of
from tests.integration.operator_fixture import OperatorProcess
from tests.integration.world import new_world
from tests.support.definitions import define_kinds

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN: Final = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"
RIGHT: Final = "scalesets/finalizers"

pytestmark = pytest.mark.timeout(240)


def without_the_right(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same roles, but for the one rule."""
    lessened = copy.deepcopy(objects)
    for one in lessened:
        if "rules" in one:
            one["rules"] = [rule for rule in one["rules"] if rule["resources"] != [RIGHT]]
    assert lessened != objects
    return lessened


def test_the_right_to_update_finalizers_is_needed_there_and_enough(tmp_path: Path) -> None:
    """Without it every create is refused, and said so; with it the set comes up by itself."""
    tuning = Tuning(arguments={APISERVER: (PLUGIN,)})
    with LocalCluster(nodes=1, name="enforcing", tuning=tuning) as cluster:
        define_kinds(cluster)
        with new_world(cluster, "owned") as world:
            objects = account_serving(world.namespace)
            with applied(cluster, without_the_right(objects)):
                account = kubeconfig_of(world, NAMESPACE, NAME, tmp_path)
                where = ("--namespace", world.namespace)
                with OperatorProcess(cluster, tmp_path, *where, kubeconfig=account):
                    world.scale_set("web", 2)
                    word = world.await_word("web", "Accepted", "False", "CreateForbidden")
                    assert "blockOwnerDeletion" in word.message
                    assert world.pods("web") == []
                    cluster.kubectl(
                        *("apply", "--server-side", "-f", "-"), input=yaml.safe_dump_all(objects)
                    )
                    world.await_ready("web", seconds=90)
                    assert world.word("web", "Accepted")[:2] == ("True", "Valid")
