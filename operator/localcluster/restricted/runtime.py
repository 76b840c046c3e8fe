"""An OCI runtime before runc: takes out of a container's description what this machine refuses.

Without CAP_SYS_RESOURCE neither the capabilities missing from the bounding set can be given nor
limits be raised, and engines ask for both. It runs as a program of its own, from a copy: it must
know nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

# In the order of their numbers, from 0 on: linux/capability.h.
CAPABILITIES: Final = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID"),
    *("CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE"),
    *("CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW"),
    *("CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT"),
    *("CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE"),
    *("CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE"),
    *("CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE"),
    *("CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ"),
    *("CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"),
)

# Where runc's subcommands name the file that describes the process.
_BUNDLE: Final = ("--bundle", "-b")
_PROCESS: Final = ("--process", "-p")


def bounding_set(status: str) -> frozenset[str]:
    """Give the names in the bounding set, from the text of /proc/<pid>/status."""
    line = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    mask = int(line.split()[1], 16)
    return frozenset(name for number, name in enumerate(CAPABILITIES) if mask >> number & 1)


def permitted(process: Mapping[str, Any], bounding: Collection[str]) -> dict[str, Any]:
    """Give an OCI process with the capabilities that can be had, and without limits."""
    rest = {key: value for key, value in process.items() if key != "rlimits"}
    sets = process.get("capabilities")
    if not sets:
        return rest
    kept = {kind: [name for name in names if name in bounding] for kind, names in sets.items()}
    return {**rest, "capabilities": kept}


def rewritten(document: Mapping[str, Any], bounding: Collection[str]) -> dict[str, Any]:
    """Give a description that this machine accepts: of a bundle, or of a process alone."""
    if "ociVersion" not in document:
        return permitted(document, bounding)
    if "process" not in document:
        return dict(document)
    return {**document, "process": permitted(document["process"], bounding)}


def description(arguments: Sequence[str]) -> Path | None:
    """Give the file by which runc is told what to run; None for what runs nothing."""
    if "create" in arguments or "run" in arguments:
        return Path(_option(arguments, _BUNDLE) or ".") / "config.json"
    if "exec" in arguments:
        process = _option(arguments, _PROCESS)
        return Path(process) if process else None
    return None


def _option(arguments: Sequence[str], names: Collection[str]) -> str | None:
    for number, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name in names:
            return value or arguments[number + 1]
    return None


def main(arguments: Sequence[str]) -> None:
    """Rewrite the description that these arguments name, then become runc."""
    file = description(arguments)
    if file is not None:
        bounding = bounding_set(Path("/proc/self/status").read_text(encoding="ascii"))
        document = rewritten(json.loads(file.read_text(encoding="utf-8")), bounding)
        file.write_text(json.dumps(document), encoding="utf-8")
    os.execvp("runc", ["runc", *arguments])  # noqa: S606 - a shell would read the arguments


if __name__ == "__main__":
    main(sys.argv[1:])
