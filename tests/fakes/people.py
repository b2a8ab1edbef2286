"""The hosting tenant's people and post: `ports.People`, `ports.Mailer` and `ports.Channel` in memory."""

from __future__ import annotations

from tenantclosure.model.mail import Mail
from tenantclosure.model.people import Account, Person
from tenantclosure.ports import JSON


class FakePeople:
    """Accounts by address; `asked` keeps every address that was looked up, `trouble` is raised instead of an answer."""

    def __init__(self, *persons: Person) -> None:
        self.accounts: dict[str, Account] = {}
        self.asked: list[str] = []
        self.trouble: Exception | None = None
        for person in persons:
            self.add(person)

    def add(self, person: Person, *, enabled: bool = True) -> None:
        """Give a person an account, in place of an earlier one of that address."""
        self.accounts[person.upn.lower()] = Account(
            person.tenant_id, person.object_id, person.upn, person.name, person.upn, enabled
        )

    async def find(self, upn: str) -> Account | None:
        self.asked.append(upn)
        if self.trouble is not None:
            raise self.trouble
        return self.accounts.get(upn.lower())


class FakeMailer:
    """Keeps every mail it was handed."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.sent.append(mail)


class FakeChannel:
    """Keeps every card it was handed."""

    def __init__(self) -> None:
        self.cards: list[JSON] = []

    async def post(self, card: JSON) -> None:
        self.cards.append(card)
