"""The writing half of the Graph gateway: bulk through `$batch`, the few tenant-wide switches as single PATCHes.

A refusal is an answer, never an exception; exceptions mean that nothing is known of any item. Nothing is retried here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tenantclosure.errors import ServiceTrouble, Throttled
from tenantclosure.gateways.answers import answer_of_reply
from tenantclosure.gateways.graph.batch import PRIORITY, Ask, BatchRefused, Said, send
from tenantclosure.gateways.graph.connection import GraphConnection
from tenantclosure.gateways.graph.listing import KINDS
from tenantclosure.gateways.http import DEFAULT_RETRY_AFTER, segment
from tenantclosure.model.inventory import Answer
from tenantclosure.names import SHARDED_FAMILIES, Family

JSON = dict[str, Any]
RESTORED = (Family.USERS, Family.APPLICATIONS, Family.SERVICE_PRINCIPALS)
"""Families whose deletion goes to the recycle bin for 30 days (tenant-facts C1, C5)."""
MFA_STATES = frozenset({"enabled", "enforced", "disabled"})


class Writing(GraphConnection):
    """Writes to one tenant, and the point reads that prove them."""

    async def delete_many(self, family: str, ids: Sequence[str]) -> list[Answer]:
        """DELETE up to 20 users, applications or service principals; one answer per id in the ids' order.

        204 removed, 404 was gone, 403 and 400 refused (tenant-facts C6), 0 no answer for this id. Raises Throttled or
        ServiceTrouble when the outer call failed.
        """
        path = _deletable(family)
        return _answers(await self._send([Ask(i, "DELETE", f"/{path}/{segment(i)}") for i in ids]))

    async def states_of(self, family: str, ids: Sequence[str]) -> dict[str, str]:
        """`present`, `deleted` (in the recycle bin) or `gone` for up to 20 ids, by point reads.

        Raises Throttled or ServiceTrouble if any id's state stays unclear: a guess must not pass for a proof.
        """
        path = _deletable(family)
        live = await self._send([Ask(i, "GET", f"/{path}/{segment(i)}?$select=id") for i in ids])
        states = {said.answer.id: "present" for said in live if said.answer.done}
        _clear(live, f"state of {family}")
        missing = [said.answer.id for said in live if said.answer.absent]
        if family not in RESTORED:
            return states | dict.fromkeys(missing, "gone")
        binned = await self._send([Ask(i, "GET", f"/directory/deletedItems/{segment(i)}?$select=id") for i in missing])
        _clear(binned, f"recycle bin of {family}")
        return states | {said.answer.id: "deleted" if said.answer.done else "gone" for said in binned}

    async def block_sign_in(self, ids: Sequence[str]) -> list[Answer]:
        """Disable up to 10 users and revoke their sessions (tenant-facts C1); one answer per id in the ids' order.

        The answer is the disabling's. If only the revocation may succeed later, it is the revocation's; if the
        revocation was refused for good (guests have no sessions here), the message says so beside the success.
        """
        asks: list[Ask] = []
        for i in ids:
            asks.append(Ask(i, "PATCH", f"/users/{segment(i)}", {"accountEnabled": False}))
            asks.append(Ask(i, "POST", f"/users/{segment(i)}/revokeSignInSessions"))
        answers = _answers(await self._send(asks))
        return [_both(blocked, revoked) for blocked, revoked in zip(answers[::2], answers[1::2], strict=True)]

    async def allow_sign_in(self, ids: Sequence[str]) -> list[Answer]:
        """PATCH accountEnabled=true for up to 20 users (tenant-facts C1); undoes `block_sign_in`."""
        body = {"accountEnabled": True}
        return _answers(await self._send([Ask(i, "PATCH", f"/users/{segment(i)}", body) for i in ids]))

    async def restore_many(self, family: str, ids: Sequence[str]) -> list[Answer]:
        """POST restore for up to 20 users, applications or service principals in the recycle bin (tenant-facts C1).

        200 restored, 404 not in the bin (purged, or never deleted). Raises like `delete_many`.
        """
        if family not in RESTORED:
            raise ValueError(f"{family} have no recycle bin")
        return _answers(
            await self._send([Ask(i, "POST", f"/directory/deletedItems/{segment(i)}/restore") for i in ids])
        )

    async def disable_service_principals(self, ids: Sequence[str]) -> list[Answer]:
        """PATCH accountEnabled=false for up to 20 service principals that refused deletion (tenant-facts C5)."""
        body = {"accountEnabled": False}
        return _answers(await self._send([Ask(i, "PATCH", f"/servicePrincipals/{segment(i)}", body) for i in ids]))

    async def mfa_states(self, ids: Sequence[str]) -> dict[str, str]:
        """Per-user MFA state of up to 20 users (beta, tenant-facts C4): enabled, enforced, disabled, or unknown.

        `unknown` when Graph refuses, says something else, or this cloud has no beta. Raises Throttled or ServiceTrouble
        when asking later helps.
        """
        try:
            said = await self._send([Ask(i, "GET", _mfa(i)) for i in ids], beta=True)
        except BatchRefused:
            return dict.fromkeys(ids, "unknown")
        _passing(said, "MFA states")
        return {one.answer.id: _mfa_state(one) for one in said}

    async def turn_off_mfa(self, ids: Sequence[str]) -> list[Answer]:
        """PATCH perUserMfaState=disabled for up to 20 users (beta, tenant-facts C4)."""
        body = {"perUserMfaState": "disabled"}
        return _answers(await self._send([Ask(i, "PATCH", _mfa(i), body) for i in ids], beta=True))

    async def turn_off_sync(self) -> Answer:
        """PATCH organization onPremisesSyncEnabled=false; app-only success is unverified (tenant-facts C2)."""
        url = f"{self.v1}/organization/{segment(self.tenant_id)}"
        reply = await self.call("PATCH", url, body={"onPremisesSyncEnabled": False}, headers=PRIORITY)
        return answer_of_reply(self.tenant_id, reply)

    async def set_sign_up_policy(self, policy: JSON) -> Answer:
        """PATCH authorizationPolicy with these members (tenant-facts C5)."""
        url = f"{self.v1}/policies/authorizationPolicy"
        reply = await self.call("PATCH", url, body=policy, headers=PRIORITY)
        return answer_of_reply("authorizationPolicy", reply)

    async def _send(self, asks: Sequence[Ask], *, beta: bool = False) -> list[Said]:
        return await send(self.call, self.beta if beta else self.v1, asks)


def _deletable(family: str) -> str:
    # The gateway's own fence: nothing else is ever deleted through Graph.
    if family not in SHARDED_FAMILIES:
        raise ValueError(f"{family} can't be deleted through Graph")
    return KINDS[Family(family)].path


def _answers(said: Sequence[Said]) -> list[Answer]:
    return [one.answer for one in said]


def _mfa(user: str) -> str:
    return f"/users/{segment(user)}/authentication/requirements"


def _mfa_state(said: Said) -> str:
    state = said.body.get("perUserMfaState") if said.answer.done and isinstance(said.body, dict) else None
    return state if isinstance(state, str) and state in MFA_STATES else "unknown"


def _both(blocked: Answer, revoked: Answer) -> Answer:
    if not blocked.done or revoked.done:
        return blocked
    if revoked.transient:
        return revoked
    return replace(blocked, message=f"sessions not revoked: HTTP {revoked.status} {revoked.code}".rstrip())


def _passing(said: Sequence[Said], what: str) -> None:
    """Raise when a later try may say more."""
    throttled = [one.answer for one in said if one.answer.status == 429]
    if throttled:
        # Graph's advice for a batch: wait for the longest (tenant-facts D).
        wait = max(answer.retry_after or DEFAULT_RETRY_AFTER for answer in throttled)
        raise Throttled(f"{what}: {len(throttled)} items throttled", wait)
    unclear = [one.answer.status for one in said if one.answer.transient]
    if unclear:
        raise ServiceTrouble(f"{what}: {len(unclear)} items without a usable answer (first: {unclear[0]})")


def _clear(said: Sequence[Said], what: str) -> None:
    """Raise unless every answer is 2xx or 404."""
    _passing(said, what)
    refused = [one.answer for one in said if not one.answer.done and not one.answer.absent]
    if refused:
        raise ServiceTrouble(f"{what}: HTTP {refused[0].status} {refused[0].code}".rstrip())
