"""Queue and timer through Azure's own Python worker, and that no function of the app was forgotten."""

from __future__ import annotations

from dataclasses import replace

from tenantclosure import names, outbox, wiring
from tests.outbox.rig import KeepingMailer
from tests.web.rig import TARGET, Desk, request, rows
from tests.worker.worker import Worker

KINDS = {"httpTrigger", "queueTrigger", "timerTrigger", "orchestrationTrigger", "activityTrigger"}


def test_every_kind_of_function_is_invoked_here(worker: Worker) -> None:
    """The tests of this folder go through every function of these kinds; another kind would need tests of its own."""
    assert KINDS == {worker.trigger(name)["type"] for name in worker.functions}
    assert {"take_request", "send_notice"} == set(worker.of("queueTrigger"))
    assert ["sweep"] == worker.of("timerTrigger")


async def test_a_queued_request_starts_a_run(worker: Worker, desk: Desk) -> None:
    """The message is admitted with its claimed requester, and its run is in the task hub."""
    await worker.queue("take_request", request(requestedBy="olga@fabrikam.com"))

    (row,) = await rows(desk.ledger)
    assert (True, "olga@fabrikam.com") == (row["claimed"], row["requester"]["upn"])
    assert row["instanceId"] in worker.started()


async def test_a_refused_message_is_put_aside(worker: Worker, desk: Desk) -> None:
    """It ends well for the host, which would only deliver it again; people see it in the list of closures."""
    await worker.queue("take_request", {"tenantId": "nobody"})

    assert [] == await rows(desk.ledger)
    assert 1 == len(desk.records.queues[names.POISON_QUEUE])


async def test_a_notice_is_delivered(worker: Worker, desk: Desk) -> None:
    """The order on the queue becomes a mail to the person that Records name."""
    mailer = KeepingMailer()
    desk.parts = replace(desk.parts, mailer=mailer)
    wiring.use(desk.parts)
    closure = await desk.filed()
    await desk.ledger.end(closure, "aborted")
    await outbox.tell_ended(desk.parts, await desk.ledger.closure(closure))
    (message,) = desk.records.queues[names.NOTICE_QUEUE]
    await worker.queue("send_notice", message["body"])

    assert ["olga@fabrikam.com"] == [mail.to.lower() for mail in mailer.sent]


async def test_the_timer_starts_what_has_no_run(worker: Worker, desk: Desk) -> None:
    """A closure that is on record and in no task hub goes on: the sweep starts its run afresh from Records."""
    worker.hub.reset()
    closure = await desk.filed()
    desk.clock.moment = desk.clock.moment.replace(hour=13)
    await worker.tick("sweep")

    row = await desk.ledger.closure(closure)
    assert (f"{TARGET}-1-e2", 2) == (row["instanceId"], row["epoch"])
    assert row["instanceId"] in worker.started()
