"""The closure request: its strict schema, the same for HTTP, queue and command line."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from tenantclosure.errors import RequestRefused

MAX_BYTES = 64 * 1024
"""Largest request body in bytes; what is longer is refused unread."""
LONGEST_NAME = 80
"""Characters of a made-up key that a refusal repeats: it has to fit where refused requests are kept."""
MOST_FAULTS = 20
"""Wrong fields that a refusal names."""


DIRECTORY = (
    r"^/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[A-Za-z0-9_.()-]{0,89}[A-Za-z0-9_()-]"
    r"/providers/Microsoft\.AzureActiveDirectory/(ciam|b2c)Directories/[A-Za-z0-9][A-Za-z0-9.-]{0,99}$"
)
"""Azure resource id of an External ID or B2C tenant (tenant-facts B); nothing in it can lead to another address."""


def _guid(value: str) -> str:
    try:
        guid = str(UUID(value))
    except ValueError:
        guid = ""
    if guid != value.strip().lower():
        raise ValueError("must be a GUID such as 0b0a1c2d-0000-4000-8000-000000000000")
    return guid


def _true(value: object) -> object:
    if value is not True:  # 1 equals True
        raise ValueError("must be true")
    return value


Guid = Annotated[str, AfterValidator(_guid), Field(json_schema_extra={"format": "uuid"})]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")
]
Upn = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=320, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
]
Domain = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=253, pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, strict=True)


class ApproverGroup(_Strict):
    """A named group of approvers of whom `quorum` must approve."""

    group: Name = Field(description="Name of the group in the approval policy, for example it or owner.")
    quorum: int = Field(ge=1, le=50, description="How many different people of this group must approve.")
    people: list[Upn] = Field(min_length=1, max_length=50, description="User principal names of the approvers.")


class AzureChoices(_Strict):
    """What the people who approve the plan also approve about Azure subscriptions; nothing of it by default."""

    ignore_resources: bool = Field(
        default=False,
        alias="ignoreResources",
        description="Cancel Azure subscriptions although resources are left in them; everything in them is lost.",
    )
    delete_at_once: bool = Field(
        default=False,
        alias="deleteAtOnce",
        description="Try the undocumented immediate deletion of cancelled Azure subscriptions; a fresh look proves it.",
    )


class ClosureRequest(_Strict):
    """Everything a person says to have a tenant closed. Unknown keys are refused."""

    tenant_id: Guid = Field(alias="tenantId", description="Id of the tenant that is to be closed.")
    domain: Domain = Field(description="A verified domain of that tenant; it guards against a wrong id.")
    keeper: Upn = Field(description="The one Global Administrator that stays until the end: cloud-only, a member.")
    reason: Text = Field(description="Why the tenant is closed; kept in the record.")
    approvers: list[ApproverGroup] = Field(min_length=1, max_length=10, description="Who has to agree at each gate.")
    keep: list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=320)]] = Field(
        default_factory=list,
        max_length=1000,
        description="Ids or UPNs of users that must stay. The closure then ends before the tenant is deleted.",
    )
    backup_confirmed: Annotated[Literal[True], BeforeValidator(_true)] = Field(
        alias="backupConfirmed", description="Must be true: everything worth keeping has been saved elsewhere."
    )
    quiet_days: int = Field(
        default=0,
        alias="quietDays",
        ge=0,
        le=365,
        description="Days with sign-in blocked before anything is deleted; the gate go-on follows them.",
    )
    helpers: list[Upn] = Field(
        default_factory=list,
        max_length=20,
        description="Who is mailed about manual tasks besides the requester: people of the hosting tenant.",
    )
    azure: AzureChoices = Field(default_factory=AzureChoices, description="How far to go with Azure subscriptions.")
    external_directory: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=DIRECTORY)] | (
        None
    ) = Field(
        default=None,
        alias="externalDirectory",
        description="External ID and B2C tenants only: the Azure resource id of the tenant's directory.",
    )
    requested_by: Upn | None = Field(
        default=None,
        alias="requestedBy",
        description="Only over the queue: who asks. A claim, so one approver more is needed.",
    )

    def to_dict(self) -> dict[str, Any]:
        """As stored in Records and shown over HTTP (camelCase keys)."""
        return self.model_dump(mode="json", by_alias=True)


def parse_request(document: Any) -> ClosureRequest:
    """Validate a decoded JSON or YAML document. Raises RequestRefused that names the first wrong field."""
    if not isinstance(document, dict):
        raise RequestRefused(
            "$", "The request must be a JSON object.", "Send an object as in the README's first example."
        )
    try:
        return ClosureRequest.model_validate(document, by_alias=True, by_name=False)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        (field, *others), fault = [_path(one["loc"]) for one in faults[:MOST_FAULTS]], faults[0]
        message = fault["msg"].removeprefix("Value error, ")
        raise RequestRefused(
            field,
            f"{message[:1].upper()}{message[1:]}.",
            _remedy(fault["type"], field),
            extra={"alsoWrong": others} if others else None,
        ) from None


def _path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:LONGEST_NAME] for part in loc) or "$"


def _remedy(kind: str, field: str) -> str:
    if kind == "extra_forbidden":
        return f"Remove {field}: the schema in docs/closure-request.schema.json has no such key."
    if kind == "missing":
        return f"Add {field}; see docs/closure-request.schema.json."
    if field == "backupConfirmed":
        return "Set it to true once everything worth keeping has been saved."
    return f"Correct {field}; see docs/closure-request.schema.json."
