"""Which pods have which address, as the cache of the pods has it.

An entry is replaced as a whole, so it may be asked from any thread.
Must not know: who asks, or what an address is asked for.
"""

from ipaddress import ip_address
from typing import Final

from scaleset_operator.adapters.cluster.pods import PodRecord

_NOBODY: Final[tuple[PodRecord, ...]] = ()


class AddressBook:
    """Address -> the records that bear it: several share a node's, and an old one may linger."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[PodRecord, ...]] = {}

    def at(self, address: str) -> tuple[PodRecord, ...]:
        """The pods at an address, in the spelling of `spelled`."""
        return self._records.get(address, _NOBODY)

    def put(self, old: PodRecord | None, new: PodRecord | None) -> None:
        """A record takes the place of another; None for none."""
        before, after = _address(old), _address(new)
        if before is not None and old is not None and before != after:
            self._set(before, self._without(before, old))
        if after is not None and new is not None:
            self._set(after, (*self._without(after, new), new))

    def _without(self, address: str, record: PodRecord) -> tuple[PodRecord, ...]:
        return tuple(r for r in self._records.get(address, _NOBODY) if r.key != record.key)

    def _set(self, address: str, records: tuple[PodRecord, ...]) -> None:
        if records:
            self._records[address] = records
        else:
            self._records.pop(address, None)


def spelled(address: str) -> str:
    """The one spelling of an IP address; of an IPv4 one in IPv6 dress, IPv4's.

    Raises:
        ValueError: it is none.
    """
    if ":" not in address:
        return str(ip_address(address))
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _address(record: PodRecord | None) -> str | None:
    if record is None or record.instance.ip is None:
        return None
    ip = record.instance.ip
    if ":" not in ip:
        return ip
    try:
        return spelled(ip)
    except ValueError:
        return None
