"""Which sets a window or a rule selects, and which of two objects came first.

Must not know: what follows for either.
"""

from scaleset_operator.api.base import Resource
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.api.scaleset import ScaleSet


def concerns(selecting: MaintenanceWindow | OutboundRule, scale_set: ScaleSet) -> bool:
    """Whether a set of the same namespace bears all labels that are asked for."""
    wanted = selecting.spec.scale_set_selector.match_labels
    near = selecting.metadata.namespace == scale_set.metadata.namespace
    return near and bool(wanted) and wanted.items() <= scale_set.metadata.labels.items()


def age_of(resource: Resource) -> tuple[str, str]:
    """Orders objects: of two that claim the same the older one has it."""
    meta = resource.metadata
    return (meta.creation_timestamp.isoformat() if meta.creation_timestamp else "", meta.uid)
