"""Messages about manual tasks: all it takes to do one, the same in mail and card."""

from __future__ import annotations

import pytest

from tenantclosure.names import Notice
from tenantclosure.rendering.card import card
from tenantclosure.rendering.notices import mail
from tests.rendering.test_notices import LINK, PAGE, data, shown


@pytest.mark.parametrize("kind", [Notice.TASK, Notice.TASK_REMIND])
def test_a_task_comes_with_all_it_takes(kind: str) -> None:
    """Why, who, every click in its order, what it is about, warning, date, proof, report; mail and card alike."""
    _, text, _ = mail(data(kind), link=LINK)
    told = [
        "no API ends it",
        "Billing Administrator",
        "2026-11-18 12:00:00 UTC",
        "Graph no longer lists it.",
        "Users of Contoso E5 lose access.",
        "2026-11-12 12:00:00 UTC by Ann (ann@fabrikam.com); not seen yet",
        "2 more",
        *(f"Choose Contoso E5, click {n}." for n in range(13)),
    ]
    places = [text.index(f"click {n}.") for n in range(13)]

    assert [] == [part for part in told if part not in text or part not in shown(card(data(kind), page=PAGE))]
    assert places == sorted(places)


def test_several_tasks_go_in_one_list() -> None:
    """Each with who and until when; ten are named."""
    _, text, _ = mail(data(Notice.TASK, many=12), link=LINK)

    assert "12 tasks" in mail(data(Notice.TASK, many=12), link=LINK)[0]
    assert 10 == text.count("Cancel Contoso E5 (Billing Administrator); by 2026-11-18 12:00:00 UTC")
    assert "2 more" in text


def test_an_escalated_task_says_that_support_is_asked() -> None:
    """The requester learns why another task is there."""
    subject, text, _ = mail(data(Notice.TASK_REMIND, detail={"escalated": True}), link=LINK)

    assert "Support" in subject and "four days ago" in text


def test_without_a_web_address_a_task_names_the_command() -> None:
    """There is no page to open; Microsoft's portal is never linked from a mail."""
    _, text, html = mail(data(Notice.TASK), link="")

    assert "closure tasks 0b0a1c2d-0000-4000-8000-000000000001-1" in text
    assert "admin.microsoft.com" not in text + html
