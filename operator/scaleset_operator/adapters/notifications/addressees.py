"""Where an audience is reached: files of one folder, read anew at each sending.

`NAME.url` holds the address of a webhook, `NAME.token` what it is to be shown, `NAME.apprise`
addresses for apprise. Any of them may hold a secret: none of their content is in any message.
Must not know: what is sent, or how.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from yarl import URL

from scaleset_operator.api.base import DNS_LABEL_PATTERN
from scaleset_operator.reconciler.ports import Unavailable

LONGEST_FILE: Final = 16_384
LONGEST_URL: Final = 2_048
ALLOWED_URL: Final = (
    "allowed is one http or https URL of printable ASCII, with a host, without user, password and "
    "fragment"
)
ONE_LINE: Final = "allowed is one line of printable ASCII without blanks"
ALLOWED_APPRISE: Final = "allowed are URLs of apprise, one on each line; # begins a comment"
_LABEL: Final = re.compile(DNS_LABEL_PATTERN)
_PLAIN: Final = re.compile(r"[!-~]+")


class Unreachable(Unavailable):
    """The files say it wrongly; they are read again at the next try, for somebody may mend them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook; neither part of it is ever shown.

    Attributes:
        token: shown as a bearer; None for none.
        file: where the address stands, for messages.
    """

    url: URL
    token: str | None
    file: Path

    def __repr__(self) -> str:
        """For logs."""
        return f"Webhook({self.file})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Where one audience is reached.

    Attributes:
        apprise: addresses for apprise, each with the file and line it stands in.
    """

    webhook: Webhook | None = None
    apprise: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """For logs."""
        return f"Addressee({self.webhook}, {len(self.apprise)} of apprise)"


def addressee(folder: Path, audience: str) -> Addressee:
    """Where an audience is reached; nowhere without a file of it.

    Raises:
        Unreachable: a file cannot be used; names it, and what is allowed.
    """
    if not _LABEL.fullmatch(audience):
        message = f"audience {audience[:63]!r}: allowed is a DNS label"
        raise Unreachable(message)
    url = _content(folder / f"{audience}.url")
    token = _content(folder / f"{audience}.token")
    lines = _content(folder / f"{audience}.apprise")
    webhook = None
    if url is not None:
        file = folder / f"{audience}.url"
        shown = None if token is None else _token(folder / f"{audience}.token", token)
        webhook = Webhook(url=_url(file, url), token=shown, file=file)
    return Addressee(
        webhook=webhook, apprise=_lines(folder / f"{audience}.apprise", lines) if lines else ()
    )


def _content(file: Path) -> str | None:
    """The text of a file, without what an editor leaves at its ends; None where there is none."""
    try:
        with file.open("rb") as opened:
            body = opened.read(LONGEST_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as fault:
        message = f"{file} cannot be read: {fault.strerror}"
        raise Unreachable(message) from fault
    if len(body) > LONGEST_FILE:
        message = f"{file} is larger than {LONGEST_FILE} bytes"
        raise Unreachable(message)
    try:
        return body.decode().strip()
    except UnicodeDecodeError:
        message = f"{file} is no text in UTF-8"
        raise Unreachable(message) from None


def _url(file: Path, text: str) -> URL:
    problem = f"{file} cannot be used: {ALLOWED_URL}"
    if not _PLAIN.fullmatch(text) or len(text) > LONGEST_URL:
        raise Unreachable(problem)
    try:
        url = URL(text)
        reached = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
    except ValueError:
        # Not chained: the library's words hold the address.
        raise Unreachable(problem) from None
    if not reached or url.user is not None or url.password is not None or "#" in text:
        raise Unreachable(problem)
    return url


def _token(file: Path, text: str) -> str:
    if not _PLAIN.fullmatch(text):
        message = f"{file} cannot be used: {ONE_LINE}"
        raise Unreachable(message)
    return text


def _lines(file: Path, text: str) -> tuple[tuple[str, str], ...]:
    found = [
        (line.strip(), f"{file}, line {number}")
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    for line, where in found:
        if not re.match(r"[a-z][a-z0-9+.-]*://", line, re.IGNORECASE):
            message = f"{where} cannot be used: {ALLOWED_APPRISE}"
            raise Unreachable(message)
    return tuple(found)
