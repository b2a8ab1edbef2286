"""A tenant in memory behind the ports to Microsoft's services; each keeps what it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tenantclosure.errors import ListingIncomplete
from tenantclosure.model.inventory import Answer, Item, Organization, TokenIdentity
from tenantclosure.names import Family
from tenantclosure.ports import JSON

TARGET = "0b0a1c2d-0000-4000-8000-000000000001"
HOME = "0b0a1c2d-0000-4000-8000-0000000000ff"
KEEPER_UPN = "last.admin@contoso.onmicrosoft.com"
KEEPER = "00000000-0000-4000-8000-00000000000a"
OWN = "00000000-0000-4000-8000-00000000000b"
SHARED_POLICY = {
    "allowedToSignUpEmailBasedSubscriptions": True,
    "allowEmailVerifiedUsersToJoinOrganization": True,
    "allowInvitesFrom": "everyone",
    "other": 1,
}


def user(number: int, **facts: Any) -> Item:
    """User number n."""
    base = {"upn": f"u{number}@contoso.com", "userType": "Member", "enabled": True, "synced": False}
    return Item(f"10000000-0000-4000-8000-{number:012d}", f"User {number}", {**base, **facts})


def principal(number: int, **facts: Any) -> Item:
    """Service principal number n."""
    return Item(f"20000000-0000-4000-8000-{number:012d}", f"App {number}", {"enabled": True, **facts})


def subscription(number: int, **facts: Any) -> Item:
    """Subscription row number n, Enabled, of an old agreement."""
    base = {"status": "Enabled", "commerceSubscriptionId": f"commerce-{number}", "skuPartNumber": "SPE_E5"}
    return Item(f"30000000-0000-4000-8000-{number:012d}", f"E5 {number}", {**base, **facts})


class FakeDirectory:
    """A tenant's directory. `asked` keeps (method, arguments) of every write; what a test changes is plain to see.

    script: id -> answers (Answer or status) given in turn before the real ones; a 2xx status also takes the item away.
    calls: run before each delete_many with its number and ids; may raise, and `after` the same when the work is done.
    finals: ids whose final answer (2xx or 404) has left this directory.
    bin: what `deleted` ids were; a restore takes them out of both, and they may be deleted again.
    """

    def __init__(self, users: int = 45) -> None:
        keeper = Item(KEEPER, "Last Admin", {"upn": KEEPER_UPN, "userType": "Member", "enabled": True, "synced": False})
        own = Item(OWN, "Tenant Closure", {"appId": "our-app", "enabled": True})
        self.items: dict[str, list[Item]] = {str(family): [] for family in Family}
        self.items["users"] = [keeper, *(user(n) for n in range(users))]
        self.items["service-principals"] = [own]
        self.tenant = self.token_tenant = TARGET
        self.tenant_type = "AAD"
        self.partner_type: str | None = None
        self.roles: frozenset[str] | None = None
        self.domains = ("contoso.onmicrosoft.com", "contoso.com")
        self.sync: bool | None = None
        self.administrators = frozenset({KEEPER})
        self.holders: dict[str, tuple[str, ...]] = {KEEPER: ("global-administrator",)}
        self.breaks: dict[str, int] = {}
        self.policy: JSON = dict(SHARED_POLICY)
        self.policy_answer = Answer("", 204)
        self.mfa: dict[str, str] = {}
        self.script: dict[str, list[int | Answer]] = {}
        self.deleted: set[str] = set()
        self.bin: dict[str, Item] = {}
        self.leftovers: dict[str, int | None] = {}
        self.finals: set[str] = set()
        self.asked: list[tuple[str, Any]] = []
        self.calls: Callable[[int, list[str]], None] = lambda number, ids: None
        self.after: Callable[[int, list[str]], None] = lambda number, ids: None
        self.deletes = 0
        self.resends = 0

    # -- reading ------------------------------------------------------------------------------------------------------
    async def identity(self) -> TokenIdentity:
        return TokenIdentity(self.token_tenant, "our-app", OWN, self.roles)

    async def organization(self) -> Organization:
        where = (self.domains, self.domains[0])
        return Organization(self.tenant, "Contoso", self.tenant_type, self.sync, *where, self.partner_type)

    async def find_user(self, id_or_upn: str) -> Item | None:
        sought = id_or_upn.lower()
        for item in self.items["users"]:
            if sought in (item.id.lower(), str(item.facts.get("upn")).lower()):
                return item
        return None

    async def global_administrators(self) -> frozenset[str]:
        return self.administrators

    async def role_holders(self) -> Mapping[str, tuple[str, ...]]:
        return self.holders

    async def own_service_principal(self) -> Item | None:
        return next((item for item in self.items["service-principals"] if item.facts.get("appId") == "our-app"), None)

    async def pages(self, family: str) -> AsyncIterator[list[Item]]:
        listed = list(self.items[family])
        for number, start in enumerate(range(0, max(len(listed), 1), 10)):
            if self.breaks.get(family) == number:
                raise ListingIncomplete(family, start, "the page broke off")
            yield listed[start : start + 10]

    async def states_of(self, family: str, ids: Sequence[str]) -> dict[str, str]:
        there = {item.id for item in self.items[family]}
        return {id_: "present" if id_ in there else "deleted" if id_ in self.deleted else "gone" for id_ in ids}

    async def mfa_states(self, ids: Sequence[str]) -> dict[str, str]:
        return {id_: self.mfa.get(id_, "disabled") for id_ in ids}

    async def sign_up_policy(self) -> JSON:
        return dict(self.policy)

    async def external_leftovers(self) -> dict[str, int | None]:
        return dict(self.leftovers)

    async def security_defaults(self) -> bool | None:
        return True

    # -- writing ------------------------------------------------------------------------------------------------------
    async def delete_many(self, family: str, ids: Sequence[str]) -> list[Answer]:
        self.deletes += 1
        number = self.deletes
        self.calls(number, list(ids))
        self.asked.append(("delete_many", (family, list(ids))))
        again = self.finals & set(ids)
        assert not again, f"sent again after a final answer: {again}"
        answers = [self._answer(family, id_) for id_ in ids]
        self.after(number, list(ids))
        self.finals |= {answer.id for answer in answers if answer.done or answer.absent}
        return answers

    async def block_sign_in(self, ids: Sequence[str]) -> list[Answer]:
        self.asked.append(("block_sign_in", list(ids)))
        return [self._scripted(id_) or Answer(id_, 204) for id_ in ids]

    async def allow_sign_in(self, ids: Sequence[str]) -> list[Answer]:
        self.asked.append(("allow_sign_in", list(ids)))
        answers = [self._scripted(id_) or Answer(id_, 204) for id_ in ids]
        for answer in answers:
            if answer.done:
                self.change("users", answer.id, enabled=True)
        return answers

    async def restore_many(self, family: str, ids: Sequence[str]) -> list[Answer]:
        self.asked.append(("restore_many", (family, list(ids))))
        return [self._restored(family, id_) for id_ in ids]

    async def disable_service_principals(self, ids: Sequence[str]) -> list[Answer]:
        self.asked.append(("disable_service_principals", list(ids)))
        answers = []
        for id_ in ids:
            answer = self._scripted(id_) or Answer(id_, 204)
            answers.append(answer)
            if answer.done:
                self.change("service-principals", id_, enabled=False)
        return answers

    async def turn_off_sync(self) -> Answer:
        self.asked.append(("turn_off_sync", None))
        return Answer(self.tenant, 403, "Authorization_RequestDenied")

    async def turn_off_mfa(self, ids: Sequence[str]) -> list[Answer]:
        self.asked.append(("turn_off_mfa", list(ids)))
        self.mfa.update(dict.fromkeys(ids, "disabled"))
        return [Answer(id_, 204) for id_ in ids]

    async def set_sign_up_policy(self, policy: JSON) -> Answer:
        self.asked.append(("set_sign_up_policy", dict(policy)))
        if self.policy_answer.done:
            self.policy.update(policy)
        return self.policy_answer

    # -- what tests do with it ----------------------------------------------------------------------------------------
    def change(self, family: str, id_: str, **facts: Any) -> None:
        """Change facts of one item in place."""
        self.items[family] = [
            replace(item, facts={**item.facts, **facts}) if item.id == id_ else item for item in self.items[family]
        ]

    def take(self, family: str, id_: str) -> bool:
        """Remove one item; whether it was there."""
        before = len(self.items[family])
        self.items[family] = [item for item in self.items[family] if item.id != id_]
        return len(self.items[family]) < before

    @property
    def sent(self) -> list[str]:
        """Every id that was ever sent with a DELETE, in order."""
        return [id_ for method, found in self.asked if method == "delete_many" for id_ in found[1]]

    @property
    def writes(self) -> list[str]:
        """Names of the writing methods that were called."""
        return [method for method, _ in self.asked]

    def _scripted(self, id_: str) -> Answer | None:
        if not self.script.get(id_):
            return None
        said = self.script[id_].pop(0)
        return said if isinstance(said, Answer) else Answer(id_, said, "Scripted", "as the test says", "request-1")

    def _answer(self, family: str, id_: str) -> Answer:
        said = self._scripted(id_)
        if said is not None and not said.done:
            return said
        item = next((item for item in self.items[family] if item.id == id_), None)
        if item is not None and self.take(family, id_):
            self.deleted.add(id_)
            self.bin[id_] = item
            return said or Answer(id_, 204, request_id="request-1")
        return Answer(id_, 404, "Request_ResourceNotFound")

    def _restored(self, family: str, id_: str) -> Answer:
        said = self._scripted(id_)
        if said is not None and not said.done:
            return said
        if id_ not in self.deleted or id_ not in self.bin:
            return Answer(id_, 404, "Request_ResourceNotFound")
        self.items[family].append(self.bin.pop(id_))
        self.deleted.discard(id_)
        self.finals.discard(id_)
        return said or Answer(id_, 200, request_id="request-1")


class FakeBilling:
    """Azure and MCA: `azure` id -> state, `rows` id -> Item; `answers` per method. Only what undoes shows at once.

    with_resources: ids that were to be cancelled with the resources in them.
    """

    def __init__(self) -> None:
        self.with_resources: list[str] = []
        self.azure: dict[str, str] = {}
        self.rows: dict[str, Item] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []

    async def azure_subscriptions(self) -> list[Item]:
        return [Item(id_, id_, {"state": state, "tenantId": TARGET}) for id_, state in self.azure.items()]

    async def azure_state(self, subscription_id: str) -> str:
        return self.azure.get(subscription_id, "Deleted")

    async def cancel_azure(self, subscription_id: str, *, ignore_resources: bool = False) -> Answer:
        self.with_resources += [subscription_id] * ignore_resources
        return self._answer("cancel_azure", subscription_id)

    async def delete_azure(self, subscription_id: str) -> Answer:
        return self._answer("delete_azure", subscription_id)

    async def enable_azure(self, subscription_id: str) -> Answer:
        answer = self._answer("enable_azure", subscription_id)
        if answer.done:
            self.azure[subscription_id] = "Enabled"
        return answer

    async def billing_subscriptions(self) -> list[Item]:
        return list(self.rows.values())

    async def billing_subscription(self, arm_id: str) -> Item | None:
        return self.rows.get(arm_id)

    async def cancel_billing(self, arm_id: str) -> Answer:
        return self._answer("cancel_billing", arm_id)

    async def stop_renewal(self, arm_id: str) -> Answer:
        return self._answer("stop_renewal", arm_id)

    async def start_renewal(self, arm_id: str) -> Answer:
        answer = self._answer("start_renewal", arm_id)
        if answer.done and arm_id in self.rows:
            row = self.rows[arm_id]
            self.rows[arm_id] = replace(row, facts={**row.facts, "autoRenew": "On"})
        return answer

    def _answer(self, method: str, id_: str) -> Answer:
        self.asked.append((method, id_))
        return self.answers.get(method, Answer(id_, 202))


class FakePartner:
    """A customer at Partner Center: `rows` id -> Item; `answers` per method. Only what undoes shows at once."""

    def __init__(self) -> None:
        self.rows: dict[str, Item] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str]] = []

    async def subscriptions(self) -> list[Item]:
        return list(self.rows.values())

    async def subscription(self, subscription_id: str) -> Item | None:
        return self.rows.get(subscription_id)

    async def cancel(self, subscription_id: str) -> Answer:
        return self._answer("cancel", subscription_id)

    async def stop_renewal(self, subscription_id: str) -> Answer:
        return self._answer("stop_renewal", subscription_id)

    async def start_renewal(self, subscription_id: str) -> Answer:
        answer = self._answer("start_renewal", subscription_id)
        if answer.done and subscription_id in self.rows:
            row = self.rows[subscription_id]
            self.rows[subscription_id] = replace(row, facts={**row.facts, "autoRenewEnabled": True})
        return answer

    async def suspend(self, subscription_id: str) -> Answer:
        return self._answer("suspend", subscription_id)

    def _answer(self, method: str, id_: str) -> Answer:
        self.asked.append((method, id_))
        return self.answers.get(method, Answer(id_, 200))


class FakeExternal:
    """The Azure resource of an external tenant: `found` is what Azure says of it, `answer` and `polls` are told in turn
    (the last poll for ever).

    raises: method -> errors raised in turn before its answer. `after` runs when a DELETE got through, and may raise.
    """

    def __init__(self, tenant: str = TARGET) -> None:
        self.found: JSON | None = {"tenantId": tenant, "kind": "ciam", "name": "contoso", "location": "Europe"}
        self.answer = Answer("", 202)
        self.operation: str | None = "https://arm.example/operations/1"
        self.polls = ["succeeded"]
        self.raises: dict[str, list[Exception]] = {}
        self.after: Callable[[], None] = lambda: None
        self.asked: list[tuple[str, str]] = []

    @property
    def deletes(self) -> int:
        """How many DELETEs got through."""
        return sum(method == "delete" for method, _ in self.asked)

    def _met(self, method: str) -> None:
        if self.raises.get(method):
            raise self.raises[method].pop(0)

    async def find(self, resource_id: str) -> JSON | None:
        self._met("find")
        self.asked.append(("find", resource_id))
        return None if self.found is None else dict(self.found)

    async def delete(self, resource_id: str) -> tuple[Answer, str | None]:
        self._met("delete")
        self.asked.append(("delete", resource_id))
        self.after()
        answer = replace(self.answer, id=resource_id)
        return answer, self.operation if answer.status == 202 else None

    async def poll(self, operation: str) -> str:
        self._met("poll")
        self.asked.append(("poll", operation))
        return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]


class FakeOutside:
    """The tenant from outside: `sightings` are told in turn, the last one for ever."""

    def __init__(self) -> None:
        self.sightings = ["alive"]
        self.lives_in = ""

    async def cloud(self) -> str:
        return self.lives_in

    async def sighting(self) -> str:
        return self.sightings.pop(0) if len(self.sightings) > 1 else self.sightings[0]
