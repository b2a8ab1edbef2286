"""The net under every log line: secrets, the deployment's own among them, and people's addresses are blacked out.

No code of ours writes a secret; this holds for what libraries and Microsoft's answers say. People go by their addresses
(mail, user principal name): records say who it was, and logs are kept elsewhere, longer, and are read by others.

It works where a record is made, so every handler, formatter and exporter gets the blacked-out one. Fields given with
`extra` come later: whoever adds one that holds text from outside passes it through `redacted`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

BLACK = "[redacted]"
PERSON = "[person]"
SHORTEST = 8
"""Characters of a secret that is known word for word; a shorter one would black out half of every line."""

_VALUE = r"[^\s&;,\"'<>\\)}\]]+"
"""Ends where a query, a form, a cookie, a JSON text, a connection string or a sentence goes on."""
_ALWAYS = (
    "id_token|access_?token|refresh_?token|client_?secret|client_?assertion|password|passwd|pwd|api_?key|"
    "account_?key|shared_?access_?key|shared_?access_?signature|closure-csrf"
)
"""Names whose value is a secret wherever they stand."""
_IN_QUERY = "sig|signature|code|key|sas|token|assertion|secret|state|csrf"
"""Names that are harmless words elsewhere."""
_HEADERS = (
    "authorization|proxy-authorization|cookie|set-cookie|x-functions-key|x-ms-client-principal|x-ms-token-[a-z-]+"
)
_HOOKS = "logic\\.azure|webhook\\.office|office365\\.webhook|api\\.powerplatform|powerautomate"
"""In the host of an address that lets whoever has it post: path and query are the key."""
_ADDRESS = r"(?<![\w.!#%+^~-])[\w!#%+^~-][\w.!#%'+^~-]{0,127}?(?:@|%40)(?:[\w-]+\.)+[^\W\d_][\w-]+"
"""A mail address or user principal name, in a path too; `#EXT#` is a guest's.

It begins where a word does, so that a long one is tried once, and ends in a label of letters, which a package's
name@1.2 does not.
"""
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", BLACK),
        # What opens a JSON object in base64, twice or thrice with dots between, is a token.
        (r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*", BLACK),
        (rf"(?i)(\b(?:{_HEADERS})(?:: ?|['\"]\s*[:,]\s*b?['\"]))[^'\"\r\n]+", rf"\1{BLACK}"),
        (
            r"(?i)\b(bearer|basic|sharedkey(?:lite)?|sharedaccesssignature)(\s+)(?!authentication)[\w.~+/=:-]{12,}",
            rf"\1\2{BLACK}",
        ),
        (r"(://)[^\s/@:]+:[^\s/@]+@", rf"\1{BLACK}@"),
        (rf"(?i)(https?://[\w.-]*(?:{_HOOKS})[\w.-]*(?::\d+)?/)(?!\[red){_VALUE}", rf"\1{BLACK}"),
        (r"(?i)(/approvals/)[\w%~.-]{16,}", rf"\1{BLACK}"),
        (rf"(?i)(?<![a-z])((?:{_ALWAYS})(?:=|%3d|['\"]\s*[:,]\s*b?['\"]))(?!\[red){_VALUE}", rf"\1{BLACK}"),
        (rf"(?i)((?:[?&]|%3f|%26)(?:{_IN_QUERY})(?:=|%3d))(?!\[red){_VALUE}", rf"\1{BLACK}"),
        (_ADDRESS, PERSON),
    )
)
_known: set[str] = set()


def redacted(text: str) -> str:
    """The text with every secret and every person's address in it blacked out."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, BLACK)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def know(secrets: Iterable[str]) -> None:
    """Black these out wherever they stand from now on (a password looks like any word)."""
    _known.update(secret for secret in secrets if len(secret) >= SHORTEST)


def install() -> None:
    """Black out secrets in every log record of this process; a second call changes nothing."""
    made = logging.getLogRecordFactory()
    around: Any = made
    while not isinstance(around, _Careful):  # others may have put theirs around it
        around = getattr(around, "_make", None)
        if around is None:
            logging.setLogRecordFactory(_Careful(made))
            return


class _Careful:
    """Makes log records without secrets; one that holds none stays as it is, with its arguments and its exception."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **kwargs)
        try:
            said = record.getMessage()
        except Exception:  # wrong arguments for the format: logging reports them itself, with both
            record.msg, record.args = redacted(f"{record.msg} {record.args}"), ()
            said = record.msg
        if (safe := redacted(said)) != said:
            record.msg, record.args = safe, ()
        if record.exc_info and record.exc_info[0] is not None:
            told = logging.Formatter().formatException(record.exc_info)
            if (safe := redacted(told)) != told:
                record.exc_info, record.exc_text = None, safe
        if record.stack_info:
            record.stack_info = redacted(record.stack_info)
        return record
