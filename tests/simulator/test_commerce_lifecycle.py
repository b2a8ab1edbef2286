"""The life-cycle table: every pair of state and event, and dates that take effect when somebody looks."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from simulator.commerce.lifecycle import FINISHED, SHOWN, TRANSITIONS, Event, Kind, Life, NotAllowedError, State
from tests.simulator.commerce_rig import running

START = datetime(2026, 1, 1, tzinfo=UTC)


def days(count: float) -> timedelta:
    """Real days."""
    return timedelta(days=count)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_pair_is_a_row_or_a_refusal(kind):
    """In every state an event either does what its row says or is refused without changing anything."""
    for state, event in itertools.product(State, Event):
        life = Life(kind, state, START, START + days(5))
        row = TRANSITIONS[kind].get((state, event))

        if row is None:
            with pytest.raises(NotAllowedError):
                life.fire(event, START, days)
            assert (state, START + days(5)) == (life.state, life.due)
        else:
            life.fire(event, START, days)
            assert row[0] is life.state


@pytest.mark.parametrize(
    ("kind", "act", "after"),
    [
        (Kind.MOSA, Event.CANCEL, 90),
        (Kind.MCA, Event.CANCEL, 90),
        (Kind.MCA, Event.RENEWAL_OFF, 12 + 30 + 90),
        (Kind.CSP, Event.CANCEL, 0),
        (Kind.CSP, Event.RENEWAL_OFF, 12 + 30 + 90),
        (Kind.TRIAL, Event.RENEWAL_OFF, 12 + 30 + 30),
        (Kind.SELF_SERVICE, Event.TAKE_CONTROL, 0),
    ],
)
def test_time_from_the_act_to_deleted(kind, act, after):
    """Each way out takes the days of subscription-facts 7."""
    life = Life(kind, State.ENABLED, START, START + days(12))
    life.fire(act, START, days)

    life.settle(START + days(after) - timedelta(seconds=1), days)
    assert after == 0 or life.state not in FINISHED

    life.settle(START + days(after), days)
    assert State.DELETED is life.state


def test_a_person_deletes_a_disabled_mosa_subscription_in_three_days():
    """Delete marks it; the row says Suspended for three days more (subscription-facts 7, row 2)."""
    life = Life(Kind.MOSA, State.SUSPENDED, START, START + days(60))
    life.fire(Event.DELETE, START, days)

    life.settle(START + days(2.9), days)
    assert "Suspended" == SHOWN[life.state]
    life.settle(START + days(3), days)
    assert State.DELETED is life.state


def test_nobody_deletes_a_disabled_mca_subscription():
    """MCA has no row for Delete in any state (subscription-facts 1)."""
    assert not any(event is Event.DELETE for _, event in TRANSITIONS[Kind.MCA])


def test_renewals_are_jumped_over():
    """Years of renewals take one step, and the next date lies in the future."""
    life = Life(Kind.MOSA, State.ENABLED, START, START + days(1), term_days=0.0001)
    life.settle(START + days(4000), days)

    assert State.ENABLED is life.state
    assert START + days(4000) < life.due <= START + days(4001)


async def test_a_deleted_row_lingers_and_vanishes():
    """Graph shows Deleted for a while and then nothing; the summary keeps counting it."""
    async with running() as rig:
        row = rig.row(Kind.MOSA, "PROJECTPROFESSIONAL")
        await rig.portal("delete-subscription", subscriptionId=row.id)

        rig.clock.forward(3.1)
        assert "Deleted" == (await rig.statuses())[row.id]
        rig.clock.forward(2)
        assert row.id not in await rig.statuses()
        assert rig.target.commerce.summary()["deleted"] == 1


async def test_short_days_end_a_trial_by_themselves():
    """With days of milliseconds a trial runs through its whole life within a second (architecture, Time)."""
    async with running(day_seconds=0.002) as rig:
        row = rig.row(Kind.TRIAL)
        rig.clock.offset += timedelta(seconds=0.1)

        assert row.id not in await rig.statuses()
