"""The error family: names say who failed and what a caller can do.

```text
ClosureError
 ├── SettingsError        a setting is missing or contradicts another; nothing starts
 ├── RequestRefused       a request breaks a rule; carries the field and the remedy (HTTP 4xx, exit code 2)
 ├── RailBroken           a safety rail stopped a write; never retried
 ├── ListingIncomplete    a listing did not reach its end; never treated as empty
 ├── TokenRefused         a caller's access token is no good; carries a fixed word (HTTP 401)
 ├── Undeliverable        a message that no further try will bring to its addressee
 ├── RecordConflict       somebody else wrote first (ETag or append position); read again
 ├── RecordMissing        a record that must be there is not
 ├── RecordNewer          a record of a newer version of this program; that one goes on with it
 └── ServiceTrouble       Microsoft or storage did not answer usefully; a later try may
      ├── AccessRefused   a read was refused (401, 403): a role is missing; somebody can grant it
      ├── Throttled       429 for the whole call; carries `retry_after` seconds
      └── SignInRefused   no token; carries the AADSTS `code`
```
"""

from typing import Any


class ClosureError(Exception):
    """Base of every error this project raises on purpose."""


class SettingsError(ClosureError, ValueError):
    """A setting is missing or contradicts another; the text names the setting and the remedy."""


class RequestRefused(ClosureError, ValueError):
    """A request that must not start. `field` is its JSON path, `remedy` one sentence that says what to do.

    `status` is the HTTP status of the problem document (RFC 9457), `kind` the last part of its `type`; `extra` holds
    further members of it (JSON values).
    """

    def __init__(
        self,
        field: str,
        detail: str,
        remedy: str,
        *,
        status: int = 400,
        kind: str = "invalid-request",
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{field}: {detail} {remedy}".strip())
        self.field, self.detail, self.remedy, self.status, self.kind = field, detail, remedy, status, kind
        self.extra = extra or {}


class RailBroken(ClosureError):
    """A safety rail stopped a write. `rail` is its name from `tenantclosure.names.Rail`."""

    def __init__(self, rail: str, detail: str) -> None:
        super().__init__(f"{rail}: {detail}")
        self.rail, self.detail = rail, detail


class ListingIncomplete(ClosureError):
    """A listing broke off before its last page. `family` names it, `seen` is how many items came before."""

    def __init__(self, family: str, seen: int, detail: str) -> None:
        super().__init__(f"{family}: the listing broke off after {seen} items: {detail}")
        self.family, self.seen, self.detail = family, seen, detail


class TokenRefused(ClosureError):
    """A caller's access token is no good. `reason`: malformed, signature, expired, audience, issuer, tenant."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the access token was refused: {reason}")
        self.reason = reason


class Undeliverable(ClosureError):
    """A message was refused for good; the text says why, without the message."""


class RecordConflict(ClosureError):
    """Another writer came first; the caller reads again and decides anew."""


class RecordMissing(ClosureError, LookupError):
    """A record that must exist does not."""


class RecordNewer(ClosureError):
    """A newer version of this program wrote the record; the text names it. Nothing is guessed: that version goes on."""


class ServiceTrouble(ClosureError):
    """A call failed in a way that a later try may cure (5xx, connection lost, unreadable answer)."""


class AccessRefused(ServiceTrouble):
    """A read was refused with 401 or 403: our application lacks a role there, which somebody can grant."""


class Throttled(ServiceTrouble):
    """The whole call was throttled. `retry_after` is in seconds, as the service said or our own backoff."""

    def __init__(self, detail: str, retry_after: float) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class SignInRefused(ServiceTrouble):
    """The login endpoint refused to give a token. `code` is the AADSTS number, or None when it named none."""

    def __init__(self, tenant_id: str, code: int | None, detail: str) -> None:
        super().__init__(f"sign-in to tenant {tenant_id} was refused: {detail}")
        self.tenant_id, self.code = tenant_id, code
