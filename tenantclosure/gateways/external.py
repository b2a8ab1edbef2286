"""`ports.ExternalDirectory` on Azure Resource Manager: the Azure resource that an External ID or B2C tenant is.

It lies in a subscription of another tenant, the hosting one, so that is where we sign in (tenant-facts B). A DELETE is
sent once; what became of it is asked for with one GET at a time, because waiting is the orchestrator's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tenantclosure.errors import RailBroken, ServiceTrouble
from tenantclosure.gateways.answers import answer_of_reply, error_of, named, refused, signed_in
from tenantclosure.gateways.http import Caller, Reply, connections
from tenantclosure.gateways.identity import Credentials
from tenantclosure.model.inventory import Answer
from tenantclosure.model.request import DIRECTORY
from tenantclosure.names import Rail
from tenantclosure.ports import JSON
from tenantclosure.settings import Settings

RESOURCE = re.compile(DIRECTORY, re.IGNORECASE | re.ASCII)
VERSIONS = {"ciam": "2023-05-17-preview", "b2c": "2021-04-01"}
"""api-version of each kind of directory (tenant-facts B)."""
ROLE = "Contributor on the external directory's Azure resource, in the hosting tenant"
UNKNOWN_KINDS = frozenset({"NoRegisteredProviderFound", "InvalidResourceType", "InvalidResourceNamespace"})
"""ARM's codes, mostly with 400, where this cloud has no such kind of resource."""
OVER = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed", "cancelled": "failed"}
"""Last words of a long-running operation; every other word means that it still runs (ARM's asynchronous pattern)."""


class ArmDirectory:
    """The resource of one external tenant. `ArmDirectory(settings, credentials, tenant_id)`."""

    def __init__(self, settings: Settings, credentials: Credentials, tenant_id: str) -> None:
        self.tenant_id = tenant_id.lower()
        self._arm = settings.endpoint("arm")
        tokens = credentials.source(settings.home_tenant_id, settings.endpoint("arm_scope"))
        self._call = Caller(connections(settings), tokens).call

    async def find(self, resource_id: str) -> JSON | None:
        """{tenantId, kind (ciam or b2c), name, location} of the resource; None when 404 or unknown to this cloud.

        Raises ValueError for an id of another shape, AccessRefused, ServiceTrouble.
        """
        kind, url = self._address(resource_id)
        reply = await self._ask("GET", url)
        if reply.status == 404 or (reply.status == 400 and error_of(reply.body)[0] in UNKNOWN_KINDS):
            return None
        if not reply.ok or not isinstance(reply.body, dict):
            raise refused("external directory", reply, ROLE)
        properties = reply.body.get("properties")
        tenant = properties.get("tenantId") if isinstance(properties, Mapping) else None
        return {
            "tenantId": str(tenant or "").lower(),
            "kind": kind,
            "name": str(reply.body.get("name") or resource_id.rpartition("/")[2]),
            "location": str(reply.body.get("location") or ""),
        }

    async def delete(self, resource_id: str) -> tuple[Answer, str | None]:
        """DELETE it after a look at whose it is: the answer (202, 204: success), and the operation's address if any.

        Raises RailBroken (tenant pin) unless Azure says that the resource is the tenant to be closed.
        """
        found = await self.find(resource_id)
        if found is None:
            return Answer(resource_id, 404, "NotFound"), None
        if found["tenantId"] != self.tenant_id:
            raise RailBroken(
                Rail.TENANT_PIN, "the external directory's resource is another tenant than the one to close"
            )
        reply = await self._ask("DELETE", self._address(resource_id)[1])
        return named(answer_of_reply(resource_id, reply), ROLE), self._operation(reply)

    async def poll(self, operation: str) -> str:
        """One look at the operation: `running`, `succeeded` or `failed: WHY`. Raises AccessRefused, ServiceTrouble."""
        if not self._ours(operation):
            raise ValueError("the operation is not one of our Azure Resource Manager")
        reply = await self._ask("GET", operation)
        if reply.status in (401, 403):
            raise refused("deletion of the external directory", reply, ROLE)
        body = reply.body if isinstance(reply.body, dict) else {}
        if not reply.ok:
            return f"failed: {_why(reply)}"
        if "status" in body:
            # Azure-AsyncOperation: always 200, the word is in the body.
            said = body["status"]
            if not isinstance(said, str):
                raise ServiceTrouble("deletion of the external directory: a status that is no word")
            word = OVER.get(said.lower(), "running")
            return f"failed: {said}, {_why(reply)}" if word == "failed" else word
        # Location: 202 until it is over.
        return "running" if reply.status == 202 else "succeeded"

    async def _ask(self, method: str, url: str) -> Reply:
        with signed_in("the hosting tenant"):
            return await self._call(method, url)

    def _address(self, resource_id: str) -> tuple[str, str]:
        match = RESOURCE.fullmatch(resource_id)
        if match is None:
            raise ValueError("not the ARM id of an External ID or B2C directory")
        kind = match[1].lower()
        return kind, f"{self._arm}{resource_id}?api-version={VERSIONS[kind]}"

    def _operation(self, reply: Reply) -> str | None:
        if reply.status not in (201, 202):
            return None
        links = (reply.headers.get(name) for name in ("Azure-AsyncOperation", "Location"))
        return next((str(link) for link in links if link and self._ours(str(link))), None)

    def _ours(self, url: str) -> bool:
        """Whether our token may go there: nowhere but to our ARM."""
        return url.startswith(self._arm + "/")


def _why(reply: Reply) -> str:
    code, message, _ = error_of(reply.body)
    return " ".join(part for part in (code, message) if part) or f"HTTP {reply.status}, without a reason"
