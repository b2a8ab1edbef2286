"""Log records of a closure say which one: as one line on a terminal, as attributes where they are collected."""

from __future__ import annotations

import logging
from typing import Any

from tenantclosure import redaction, telemetry

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Line(logging.Formatter):
    """One line a record, with what it is about at its end: `... [closureId=... phase=...]`."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        """The record's line, before any traceback."""
        told = " ".join(f"{name}={value}" for name, value in about(record).items())
        line = super().formatMessage(record)
        return f"{line} [{told}]" if told else line


def about(record: logging.LogRecord) -> dict[str, telemetry.Value]:
    """What a record is about, blacked out as its text is; nothing if it was made before `install`."""
    told: dict[str, telemetry.Value] = getattr(record, "about", {})
    return {name: redaction.redacted(value) if isinstance(value, str) else value for name, value in told.items()}


def install() -> None:
    """Put what the running task is about on every log record of this process; a second call changes nothing.

    One attribute holds all of it: fields of their own would collide with those that other libraries give records.
    """
    made = logging.getLogRecordFactory()
    around: Any = made
    while around is not None:  # others, such as the redaction, may have put theirs around it
        if isinstance(around, _Telling):
            return
        around = getattr(around, "_make", None)
    logging.setLogRecordFactory(_Telling(made))


class _Telling:
    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **kwargs)
        record.about = telemetry.about()
        return record
