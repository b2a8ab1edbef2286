"""The plan: everything is removed once or kept, nobody spared is in a shard, and every change changes the digest."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.model.inventory import Item
from tenantclosure.names import Family
from tenantclosure.policy.canonical import digest, sha256
from tenantclosure.policy.planner import Shards, Spared, family_entry, manifest

KEEPER, OWN = "keeper-id", "own-sp-id"
ROW = {"closureId": "c-1", "tenantId": "t", "domain": "d", "planSerial": 1, "request": {"reason": "x"}}

names = st.text(max_size=12).filter(lambda text: text.isprintable())
items = st.lists(
    st.builds(
        lambda id_, name, upn: Item(id_, name, {"upn": upn, "enabled": True}),
        st.one_of(st.sampled_from([KEEPER, OWN]), st.text("abc123", min_size=1, max_size=6)),
        names,
        st.sampled_from(["a@x.com", "B@x.com", "c@x.com", ""]),
    ),
    max_size=60,
    unique_by=lambda item: item.id,
)


def sharded(family: str, listed: list[Item], spared: Spared, privileged: frozenset[str], size: int) -> Any:
    shards, kept, stored = Shards(size), [], {}
    for item in listed:
        reason = spared.reason(family, item)
        if reason is not None:
            kept.append(item.id)
            continue
        shards.add(item, last=item.id in privileged)
        stored.update(shards.take())
    shards.finish()
    stored.update(shards.take())
    return family_entry(shards), kept, stored


def ids(data: bytes) -> list[str]:
    return [json.loads(line)["id"] for line in data.splitlines()]


@given(items, st.integers(1, 9), st.sets(st.text("abc123", min_size=1, max_size=6)), st.sampled_from(list(Family)))
def test_everything_once_and_privileged_last(
    listed: list[Item], size: int, privileged: set[str], family: Family
) -> None:
    """Each item is in exactly one shard or kept; keeper and own service principal never; privileged ones at the end."""
    spared = Spared(KEEPER, OWN, frozenset({"b@x.com"}))
    entry, kept, stored = sharded(family, listed, spared, frozenset(privileged), size)
    planned = [id_ for number in sorted(stored) for id_ in ids(stored[number])]
    assert sorted(planned + kept) == sorted(item.id for item in listed)
    assert not (family == Family.USERS and KEEPER in planned)
    assert not (family == Family.SERVICE_PRINCIPALS and OWN in planned)
    assert entry["count"] == len(planned)
    assert sorted(stored) == list(range(len(entry["shards"])))
    for number, data in stored.items():
        assert entry["shards"][number] == {"count": len(ids(data)), "sha256": sha256(data)}
        assert 1 <= len(ids(data)) <= size
        assert {id_ in privileged for id_ in ids(data)} == {number >= entry["privilegedFrom"]}


@given(items, st.integers(1, 9))
def test_the_same_listing_gives_the_same_digest(listed: list[Item], size: int) -> None:
    """Planning twice comes to the same shards byte for byte."""
    spared = Spared(KEEPER, OWN)
    assert sharded("users", listed, spared, frozenset(), size) == sharded("users", listed, spared, frozenset(), size)


@given(items, st.data())
def test_any_change_of_an_item_changes_the_digest(listed: list[Item], data: st.DataObject) -> None:
    """A changed name, fact or id, a missing and an added item all give another plan."""
    listed = [*listed, Item("one-at-least", "", {"upn": "", "enabled": True})]
    spared = Spared(KEEPER, None)
    index = data.draw(st.sampled_from([n for n, item in enumerate(listed) if item.id not in (KEEPER, OWN)]))
    old = listed[index]
    new = data.draw(
        st.sampled_from(
            [
                [Item(old.id + "x", old.name, old.facts)],
                [Item(old.id, old.name + "x", old.facts)],
                [Item(old.id, old.name, {**old.facts, "enabled": False})],
                [],
                [old, Item("added-id", "", {})],
            ]
        )
    )
    changed = [*listed[:index], *new, *listed[index + 1 :]]
    assert plan(listed, spared) != plan(changed, spared)


def plan(listed: list[Item], spared: Spared) -> str:
    entry, kept, _ = sharded("users", listed, spared, frozenset(), 7)
    rows = [{"id": id_} for id_ in kept]
    return digest(manifest(ROW, Item(KEEPER, "Keeper"), None, {"users": entry}, rows))


def test_every_part_of_the_manifest_is_in_the_digest() -> None:
    """Another closure, tenant, domain, serial, request, keeper, own service principal or kept list is another plan."""
    keeper = Item(KEEPER, "Keeper", {"upn": "k@x.com"})
    base = digest(manifest(ROW, keeper, None, {}, []))
    others = [
        manifest({**ROW, "closureId": "c-2"}, keeper, None, {}, []),
        manifest({**ROW, "tenantId": "u"}, keeper, None, {}, []),
        manifest({**ROW, "domain": "e"}, keeper, None, {}, []),
        manifest({**ROW, "planSerial": 2}, keeper, None, {}, []),
        manifest({**ROW, "request": {"reason": "y"}}, keeper, None, {}, []),
        manifest(ROW, Item("other", "Keeper", {"upn": "k@x.com"}), None, {}, []),
        manifest(ROW, keeper, Item(OWN, "us"), {}, []),
        manifest(ROW, keeper, None, {}, [{"id": "a"}]),
    ]
    digests = {digest(other) for other in others}
    assert base not in digests
    assert len(digests) == len(others)


def test_keep_rules_name_ids_and_addresses() -> None:
    """A rule finds its user by id or address in any case, and only among users."""
    spared = Spared(KEEPER, OWN, frozenset({"abc", "b@x.com"}))
    assert spared.reason("users", Item("ABC", "")) == "keep rule of the request"
    assert spared.reason("users", Item("x", "", {"upn": "B@X.com"})) == "keep rule of the request"
    assert spared.reason("users", Item("x", "", {"upn": "c@x.com"})) is None
    assert spared.reason("applications", Item("abc", "")) is None


def test_our_own_registration_stays() -> None:
    """The app registration of our own application is kept where it lives in the tenant; others go."""
    spared = Spared(KEEPER, OWN, own_app_id="our-app")
    assert spared.reason("applications", Item("a", "", {"appId": "our-app"}))
    assert spared.reason("applications", Item("a", "", {"appId": "other"})) is None
    assert Spared(KEEPER, None).reason("applications", Item("a", "", {"appId": None})) is None
