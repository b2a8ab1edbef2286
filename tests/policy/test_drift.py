"""Drift: what is new, what is gone and what is left since the plan was frozen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.policy.drift import compare

some = st.frozensets(st.sampled_from("abcdefghij"))


@given(some, some, some)
def test_every_listed_id_is_planned_spared_or_new(
    planned: frozenset[str], spared: frozenset[str], listed: frozenset[str]
) -> None:
    """Nothing listed is lost: it is left over, spared, or stops the phase as added."""
    found = compare(planned, spared, listed)
    assert set(listed) == set(found.left) | set(found.added) | (listed & spared)
    assert not set(found.added) & (planned | spared)
    assert found.gone + len(found.left) == len(planned)


@given(some, st.lists(st.sampled_from("abcdefghij")))
def test_order_and_repetition_do_not_matter(planned: frozenset[str], listed: list[str]) -> None:
    """The same ids in any order, listed once or twice, make the same difference."""
    assert compare(planned, frozenset(), listed) == compare(planned, frozenset(), sorted(set(listed)))


def test_an_addition_is_named() -> None:
    """A new id is told by name; a planned one that is gone only counts."""
    found = compare(frozenset("ab"), frozenset("k"), ["a", "k", "new"])
    assert (found.added, found.gone, found.left) == (("new",), 1, ("a",))
