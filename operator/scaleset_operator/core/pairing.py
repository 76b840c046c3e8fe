"""Whether two windows are a pair: each names the other, and no third has a part in it (M-18).

Must not know: when either is open.
"""

from typing import Final

from scaleset_operator.api.maintenancewindow import MaintenanceWindow

FIELD: Final = "spec.pairedWith"


def partner_of(window: MaintenanceWindow) -> tuple[str, str] | None:
    """The namespace and the name of the window that this one says it is paired with."""
    ref = window.spec.paired_with
    return None if ref is None else (ref.namespace or window.metadata.namespace, ref.name)


def objection(window: MaintenanceWindow, partner: MaintenanceWindow | None) -> str | None:
    """Why the pair that a window declares is none; None where it is one, or none is declared.

    Args:
        window: the one that declares it.
        partner: the one that it names, where there is one.
    """
    named = partner_of(window)
    if named is None:
        return None
    own, other = "/".join(name_of(window)), "/".join(named)
    if other == own:
        return f"{FIELD} is {other!r}: that is this window; allowed is another one"
    if partner is None:
        return f"{FIELD} is {other!r}: no such window can be seen; allowed is one that names {own}"
    back = partner_of(partner)
    if back is None:
        return f"{FIELD} is {other!r}: that one is not paired; its {FIELD} must name {own}"
    if back != name_of(window):
        third = "/".join(back)
        return f"{FIELD} is {other!r}: that one is paired with {third}, and a pair has two members"
    return None


def name_of(window: MaintenanceWindow) -> tuple[str, str]:
    """Its namespace and name."""
    return window.metadata.namespace, window.metadata.name


def first_of_pair(window: MaintenanceWindow) -> tuple[str, str]:
    """The one of the two that both look at: whose turn it is stands there (M-17)."""
    return min(name_of(window), partner_of(window) or name_of(window))
