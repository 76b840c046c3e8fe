"""How the log is written: one line for each event, as text for people or as JSON for machines.

A line says which object it is about, whoever wrote it: `about` marks the work of a task. What other
libraries attach to their records is left out, so that no body of an object gets in.
Must not know: what is logged, or when.
"""

import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.orjson import OrjsonFormatter

TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
LONGEST_MESSAGE: Final = 4_096
"""Characters of one message that are kept: what a server answers may quote a whole object."""

_OURS: Final = "scaleset_operator."
_reserved: Final = frozenset(RESERVED_ATTRS) | {"taskName", "message", "asctime"}
_subject: ContextVar[dict[str, str] | None] = ContextVar("subject", default=None)


def about(**subject: str) -> None:
    """From now on all lines of this task carry these fields: namespace="shop", scaleset="web"."""
    _subject.set(subject)


def set_up(stream: TextIO, level: str, *, as_json: bool) -> None:
    """Write all logs to this stream, in place of any handler there was.

    Args:
        stream: where the lines go.
        level: the least that is written: debug, info, warning or error.
        as_json: JSON, one object a line; else text.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if as_json else TextLines(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # kopf tells each event of each object; its warnings alone are news.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # It runs in a thread by design and warns of that at each start: signals are ours to hear.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)


class TextLines(logging.Formatter):
    """One line a record, and a traceback where there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """See logging."""
        record.message = _cut(record.message)
        return super().formatMessage(record)


class JsonLines(OrjsonFormatter):
    """time, level, logger, message or its fields, those of `about`, exception if there is one."""

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Put in what a line of ours holds, and nothing else."""
        moment = datetime.fromtimestamp(record.created, UTC)
        log_data["time"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name
        if not isinstance(record.msg, dict):  # A message of fields is those fields.
            log_data["message"] = _cut(record.getMessage())
        log_data.update(_subject.get() or {})
        log_data.update(record.msg if isinstance(record.msg, dict) else {})
        if record.name.startswith(_OURS):
            extra = record.__dict__.items()
            log_data.update((key, value) for key, value in extra if key not in _reserved)
        if "exc_info" in message_dict:
            log_data["exception"] = message_dict["exc_info"]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"
