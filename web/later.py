"""Doors whose rooms are not built yet: they say so instead of pretending."""

from __future__ import annotations

import azure.functions as func

from web.problems import refuse
from web.route import Call


async def roll_back(call: Call) -> func.HttpResponse:
    """Undo what can be undone."""
    raise _not_yet("Rolling back", "Pause or abort it; deleted users can be restored in the portal for 30 days.")


async def approval_callback(call: Call) -> func.HttpResponse:
    """Decisions from a Teams workflow or Power Automate."""
    raise _not_yet("Deciding from Teams", "Decide with POST /api/closures/{closureId}/gates/{gate}/decisions.")


async def approval_page(call: Call) -> func.HttpResponse:
    """The approver's page behind a link in a message."""
    raise _not_yet("The approval page", "Decide with the command: closure approve.")


def _not_yet(what: str, remedy: str) -> Exception:
    return refuse(501, "not-built-yet", f"{what} comes with a later version.", remedy)
