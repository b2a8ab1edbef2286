"""Doors whose rooms are not built yet: they say so instead of pretending."""

from __future__ import annotations

import azure.functions as func

from web.problems import refuse
from web.route import Call


async def roll_back(call: Call) -> func.HttpResponse:
    """Undo what can be undone."""
    raise refuse(
        501,
        "not-built-yet",
        "Rolling back comes with a later version.",
        "Pause or abort it; deleted users can be restored in the portal for 30 days.",
    )
