"""The XML of an Azure service definition, as the few elements that an import needs, with lines.

A file from elsewhere is read without trust: no document type, no entities, nothing fetched, and no
more than `MAX_BYTES`. Must not know: what a probe is, or what becomes of it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.sax import SAXParseException  # the errors alone; defusedxml parses
from xml.sax.handler import ContentHandler, feature_namespaces

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

MAX_BYTES: Final = 1 << 20
"""A service definition has a few kilobytes."""
NAMESPACE: Final = "http://schemas.microsoft.com/ServiceHosting/2008/10/ServiceDefinition"
ROOT: Final = "ServiceDefinition"

_Name = tuple[str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element.

    Attributes:
        path: names from the root to the element itself.
        owner: the `name` attributes of what it stands in, joined by /; of roles, for one.
        line: where its tag begins, from 1.
        attributes: those without a namespace.
    """

    path: tuple[str, ...]
    owner: str
    line: int
    attributes: Mapping[str, str]


class UnreadableDefinitionError(Exception):
    """The file is no service definition.

    Attributes:
        line: where that shows, from 1.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def elements(data: bytes) -> Iterator[Element]:
    """Gives every element of the service definition's own namespace, or of none, in order.

    Raises:
        UnreadableDefinitionError: too long, not XML, with a document type, or of another root.
    """
    if len(data) > MAX_BYTES:
        message = f"the file has {MAX_BYTES} bytes and more: allowed are {MAX_BYTES}"
        raise UnreadableDefinitionError(1, message)
    parser = DefusedExpatParser(forbid_dtd=True)
    reader = _Reader(parser.getLineNumber)
    parser.setFeature(feature_namespaces, 1)
    parser.setContentHandler(reader)
    try:
        parser.feed(data)
        parser.close()
    except SAXParseException as fault:
        message = f"this is not XML: {fault.getMessage()}"
        raise UnreadableDefinitionError(fault.getLineNumber() or 1, message) from fault
    except DefusedXmlException as fault:
        message = "document types and entities are not read: remove the DOCTYPE"
        raise UnreadableDefinitionError(parser.getLineNumber() or 1, message) from fault
    except (LookupError, ValueError) as fault:
        message = f"this is not XML that can be read: {fault}"
        raise UnreadableDefinitionError(1, message) from fault
    yield from reader.found


class _Reader(ContentHandler):
    """Collects the elements, each with the names it stands under."""

    def __init__(self, line: Callable[[], int]) -> None:
        super().__init__()
        self._line = line
        self.found: list[Element] = []
        self._path: list[str] = []
        self._names: list[str] = []

    def startElementNS(self, name: _Name, _qname: str | None, attrs: Any) -> None:  # noqa: N802
        uri, tag = name
        ours = uri in {None, NAMESPACE}
        if not self._path and not (ours and tag == ROOT):
            message = f"the root element is {tag}: a service definition begins with {ROOT}"
            raise UnreadableDefinitionError(self._line(), message)
        attributes = {key: str(value) for (space, key), value in attrs.items() if not space}
        owner = "/".join(filter(None, self._names))
        self._path.append(tag if ours else f"{{{uri}}}{tag}")
        self._names.append(attributes.get("name", "") if len(self._path) > 1 else "")
        if ours:
            self.found.append(
                Element(
                    path=tuple(self._path), owner=owner, line=self._line(), attributes=attributes
                )
            )

    def endElementNS(self, _name: _Name, _qname: str | None) -> None:  # noqa: N802
        self._path.pop()
        self._names.pop()
