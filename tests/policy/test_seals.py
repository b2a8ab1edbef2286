"""Seals: sound where they were made, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.model.keys import KeyRing
from tenantclosure.policy import seals

RING = KeyRing.of([b"a" * 32])
PLACE = "closure/one"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DOCS = st.dictionaries(st.text().filter(lambda name: name != seals.MEMBER), JSON, max_size=4)


@given(DOCS)
def test_a_sealed_document_is_sound_after_a_round_through_storage(doc: dict[str, Any]) -> None:
    """Whatever JSON it holds: written and read again it is the same document with the same seal."""
    stored = json.loads(json.dumps(seals.sealed(RING, PLACE, doc, 1)))

    assert seals.fault(RING, PLACE, stored) is None
    assert doc == seals.bare(stored)
    assert 1 == seals.schema_of(stored)


@given(DOCS, DOCS)
def test_another_document_has_another_seal(doc: dict[str, Any], other: dict[str, Any]) -> None:
    """A seal taken from one document makes no other one sound."""
    taken = {**other, seals.MEMBER: seals.sealed(RING, PLACE, doc, 1)[seals.MEMBER]}

    same = json.dumps(doc, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert same == (seals.fault(RING, PLACE, taken) is None)


CHANGED = [
    ("no seal", seals.bare, "has no seal"),
    ("a seal that is none", lambda doc: {**doc, "seal": "sealed"}, "has no seal"),
    ("a seal without a code", lambda doc: {**doc, "seal": {"v": 1, "key": RING.signing}}, "has no seal"),
    ("a version that is none", lambda doc: {**doc, "seal": {**doc["seal"], "v": "1"}}, "has no seal"),
    ("a member more", lambda doc: {**doc, "more": None}, "was changed after it was sealed"),
    ("a member less", lambda doc: {k: v for k, v in doc.items() if k != "said"}, "was changed after it was sealed"),
    ("another value", lambda doc: {**doc, "said": "veto"}, "was changed after it was sealed"),
    ("another version", lambda doc: {**doc, "seal": {**doc["seal"], "v": 2}}, "was changed after it was sealed"),
    ("a code of odd letters", lambda doc: {**doc, "seal": {**doc["seal"], "mac": "\ud800é"}}, "was changed"),
    ("an unknown key", lambda doc: {**doc, "seal": {**doc["seal"], "key": "0" * 12}}, "a key that we do not have"),
]


@pytest.mark.parametrize(("change", "fault"), [one[1:] for one in CHANGED], ids=[one[0] for one in CHANGED])
def test_a_changed_document_is_told_from_a_sound_one(change: Any, fault: str) -> None:
    """Each way to touch a document or its seal is found and named."""
    doc = seals.sealed(RING, PLACE, {"said": "approve"}, 1)

    assert fault in (seals.fault(RING, PLACE, change(doc)) or "")


def test_a_document_counts_only_in_its_place() -> None:
    """A row copied to another closure, or a mark to another phase, is not sound there."""
    doc = seals.sealed(RING, PLACE, {"done": True}, 1)

    assert "was changed after it was sealed" == seals.fault(RING, "closure/two", doc)


def test_an_older_key_still_checks_and_a_newer_one_signs() -> None:
    """The first key of the ring makes seals; taking the older one out makes its documents unknown."""
    both = KeyRing.of([b"b" * 32, b"a" * 32])
    old, new = seals.sealed(RING, PLACE, {}, 1), seals.sealed(both, PLACE, {}, 1)

    assert [None, None] == [seals.fault(both, PLACE, doc) for doc in (old, new)]
    assert "a key that we do not have" in (seals.fault(RING, PLACE, new) or "")


@pytest.mark.parametrize("keys", [[], [b"short"], [b"a" * 32, b"b" * 31]])
def test_a_ring_of_weak_keys_is_refused(keys: list[bytes]) -> None:
    """No key, or one that could be guessed, is no ring."""
    with pytest.raises(ValueError, match="32 bytes or more"):
        KeyRing.of(keys)


def test_a_ring_does_not_tell_its_keys() -> None:
    """What a traceback or a log shows of a ring holds no key."""
    assert "aaaa" not in repr(RING)
