"""How a command ends when it can't do what was asked: one sentence, one exit code.

```text
CliError          exit 1   something else went wrong (a process died, the server has a fault)
 ├── BadInput     exit 2   what was asked can't be done; carries field, remedy and the server's problem document
 └── Unreachable  exit 3   nobody answers
```
"""

from __future__ import annotations

from typing import Any

OK, OTHER_END, BAD_INPUT, UNREACHABLE = 0, 1, 2, 3


class CliError(Exception):
    """Base of every error the commands raise on purpose."""

    exit_code = OTHER_END
    kind = "command-failed"

    def problem(self) -> dict[str, Any]:
        """The error as a problem document (RFC 9457), for `--json`."""
        return {"type": self.kind, "title": "The command failed", "detail": str(self)}


class BadInput(CliError):
    """What was asked can't be done. `field` names the culprit, `remedy` says what to do."""

    exit_code = BAD_INPUT
    kind = "bad-input"

    def __init__(self, field: str, detail: str, remedy: str, document: dict[str, Any] | None = None) -> None:
        super().__init__(" ".join(part for part in (f"{field}:" if field else "", detail, remedy) if part))
        self.field, self.detail, self.remedy, self.document = field, detail, remedy, document

    def problem(self) -> dict[str, Any]:
        """The server's own document where there is one."""
        if self.document is not None:
            return self.document
        return {
            "type": self.kind,
            "title": "Bad input",
            "status": 400,
            "detail": self.detail,
            "field": self.field,
            "remedy": self.remedy,
        }


class Unreachable(CliError):
    """Nobody answers at the server's address, or what answers is not ours."""

    exit_code = UNREACHABLE
    kind = "cannot-reach"
