"""How far maintenance is, read for `maintenance status`. Chooses nothing.

Must not know: how it is shown.
"""

from dataclasses import replace

from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.cli import included, windows
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.failures import NotThere
from scaleset_operator.cli.included import Included
from scaleset_operator.cli.kinds import MAINTENANCE_WINDOWS


async def of_windows(
    access: Access, namespace: str | None, name: str | None
) -> list[MaintenanceWindow]:
    """The windows of a namespace, or the one of that name.

    Raises:
        Failure: they may not be read, or there is none of that name.
    """
    found = windows.sorted_(await access.items(MAINTENANCE_WINDOWS, namespace))
    if name is None:
        return [windows.read(raw) for raw in found]
    named = [windows.read(raw) for raw in found if raw["metadata"]["name"] == name]
    if not named:
        where = f" in namespace {namespace}" if namespace else ""
        known = ", ".join(raw["metadata"]["name"] for raw in found)
        line = f"no MaintenanceWindow {name}{where}; there are: {known or 'none'}"
        raise NotThere(line)
    return named


async def of_set(access: Access, namespace: str, name: str, window: str | None) -> Included:
    """The maintenance of a set, or of it what one window does.

    Raises:
        Failure: it may not be read, or no such window concerns the set.
    """
    found = await included.read(access, namespace, name)
    if window is None:
        return found
    if window not in found.windows:
        known = ", ".join(found.windows) or "none does"
        line = f"no MaintenanceWindow {window} concerns ScaleSet {namespace}/{name} ({known})"
        raise NotThere(line)
    kept = tuple(m for m in found.members if m.mark is not None and m.mark.window == window)
    return replace(found, members=kept, windows={window: found.windows[window]})
