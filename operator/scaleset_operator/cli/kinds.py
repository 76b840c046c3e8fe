"""The kinds the plugin speaks of: their paths and their names.

Must not know: what is read from them.
"""

from typing import Final, NamedTuple


class Kind(NamedTuple):
    """One kind of object.

    Attributes:
        group: API group; empty for the core one.
        plural: name of the resource in paths and rights.
        word: what people call it.
    """

    group: str
    version: str
    plural: str
    word: str

    @property
    def resource(self) -> str:
        """As kubectl and RBAC name it: `scalesets.scaleset.dev`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Path of an object, or without a name of the collection.

        Args:
            namespace: None for all, and for kinds outside of namespaces.
            name: of the object.
        """
        root = f"/apis/{self.group}" if self.group else "/api"
        place = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}/{self.version}{place}/{self.plural}" + (f"/{name}" if name else "")


SCALE_SETS: Final = Kind("scaleset.dev", "v1alpha1", "scalesets", "ScaleSet")
HEALTH_PROBES: Final = Kind("scaleset.dev", "v1alpha1", "healthprobes", "HealthProbe")
MAINTENANCE_WINDOWS: Final = Kind(
    "scaleset.dev", "v1alpha1", "maintenancewindows", "MaintenanceWindow"
)
OUTBOUND_RULES: Final = Kind("scaleset.dev", "v1alpha1", "outboundrules", "OutboundRule")
PODS: Final = Kind("", "v1", "pods", "Pod")
NODES: Final = Kind("", "v1", "nodes", "Node")
EVENTS: Final = Kind("", "v1", "events", "Event")
"""In the core group, where they can be selected by the object they are about."""
CONTROLLER_REVISIONS: Final = Kind("apps", "v1", "controllerrevisions", "ControllerRevision")
NETWORK_POLICIES: Final = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
DEFINITIONS: Final = Kind(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
)
DISRUPTION_BUDGETS: Final = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
LEASES: Final = Kind("coordination.k8s.io", "v1", "leases", "Lease")
OWN_ACCESS_REVIEWS: Final = Kind(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"
)
ACCESS_REVIEWS: Final = Kind(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview"
)
NAMESPACES: Final = Kind("", "v1", "namespaces", "Namespace")
