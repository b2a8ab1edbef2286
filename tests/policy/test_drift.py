"""Drift: what is new, what is gone and what is left since the plan was frozen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.model.inventory import Item
from tenantclosure.names import Family
from tenantclosure.policy.drift import First, Staying, compare, staying
from tenantclosure.policy.planner import Spared

some = st.frozensets(st.sampled_from("abcdefghij"))


@given(some, some, some)
def test_every_listed_id_is_planned_spared_or_new(
    planned: frozenset[str], spared: frozenset[str], listed: frozenset[str]
) -> None:
    """Nothing listed is lost: it is left over, spared, or stops the phase as added."""
    found = compare(planned, spared, listed)
    assert set(listed) == set(found.left) | set(found.added) | (listed & spared)
    assert not set(found.added) & (planned | spared)
    assert planned & listed == set(found.left)


@given(some, st.lists(st.sampled_from("abcdefghij")))
def test_order_and_repetition_do_not_matter(planned: frozenset[str], listed: list[str]) -> None:
    """The same ids in any order, listed once or twice, make the same difference."""
    assert compare(planned, frozenset(), listed) == compare(planned, frozenset(), sorted(set(listed)))


def test_an_addition_is_named() -> None:
    """New ids are told by name and in order, apart from what is planned and what is spared."""
    found = compare(frozenset("abd"), frozenset("k"), ["new", "d", "a", "k", "fresh"])
    assert (("fresh", "new"), ("a", "d")) == (found.added, found.left)


@given(st.lists(st.lists(st.sampled_from("abcdefghij"), unique=True)), st.integers(0, 5))
def test_the_first_of_many(pages: list[list[str]], most: int) -> None:
    """However ids come, all are counted and the first ones in order are named."""
    first = First(most)
    for page in pages:
        first.take(page)
    every = [id_ for page in pages for id_ in page]
    assert (len(every), sorted(every)[:most]) == (first.count, first.ids)


SPARED = Spared("keeper", "own", frozenset({"rule@contoso.com", "kept-1"}), "our-app")


@pytest.mark.parametrize(
    ("family", "item", "reason"),
    [
        (Family.USERS, Item("u", "Uma", {"upn": "Rule@contoso.com"}), "keep rule of the request"),
        (Family.USERS, Item("u", "Uma", {"upn": "uma@contoso.com"}), None),
        (Family.USERS, Item("u", "Uma", {"upn": "uma@contoso.com", "restricted": True}), None),
        (Family.DOMAINS, Item("c.onmicrosoft.com", "c", {"isInitial": True}), "initial domain, goes with the tenant"),
        (Family.DOMAINS, Item("c.com", "c", {"isInitial": False, "isDefault": True}), None),
        (Family.APPLICATIONS, Item("a", "App", {"appId": "our-app"}), "our own registration: without it"),
        (Family.APPLICATIONS, Item("a", "App", {"appId": "another"}), None),
        (Family.SERVICE_PRINCIPALS, Item("own", "App", {"appId": "our-app"}), "our own service principal"),
        (Family.SERVICE_PRINCIPALS, Item("sp", "App", {"appId": "another"}), None),
    ],
)
def test_the_planner_says_what_must_stay(family: Family, item: Item, reason: str | None) -> None:
    """What the planner would keep as it is now stays, with the planner's reason; everything else goes."""
    found = staying(SPARED, family, frozenset(), [item])
    assert [] == [*found] if reason is None else found[item.id].reason.startswith(reason)


def test_what_the_plan_keeps_anyway_is_no_news() -> None:
    """An item that the plan keeps is not told as changed; the others are named as people find them."""
    listed = [Item(id_, id_, {"upn": f"{id_}@contoso.com"}) for id_ in ("kept-1", "keeper", "u")]
    found = staying(SPARED, Family.USERS, frozenset({"kept-1"}), listed)
    assert {"keeper": Staying("keeper (keeper@contoso.com)", "keeper")} == found
    assert "changed after the plan was frozen: keeper" == found["keeper"].why
