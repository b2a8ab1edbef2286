"""Composition root: which function the host calls for which trigger. No logic lives here.

The HTTP functions are anonymous to the host because function keys are shared secrets, not people: App Service
authentication signs people in, and `web.door` asks every one of them for a role (`web.routes` names it per route).
Orchestrators and activities are registered, not decorated, so they stay plain functions for every other runner.
"""

from typing import Any

import azure.durable_functions as df
import azure.functions as func

import activities
import orchestrators
from tenantclosure import names, redaction, wiring
from tenantclosure.telemetry import lines
from web.door import guarded
from web.queue import send_notice as deliver_notice
from web.queue import take_message
from web.routes import ROUTES
from web.sweeping import sweep as look_after_all

redaction.install()
lines.install()

close = wiring.close
"""A host that stops in an orderly way may await this (the local one does)."""


class App(df.DFApp):
    """Without the engine's own HTTP functions: who can start them gets our identity's token sent where they like."""

    def _register_builtin_http_functions(self) -> None:
        """Leave them out; no orchestrator of ours calls out by itself."""


app = App(http_auth_level=func.AuthLevel.ANONYMOUS)

for orchestrator in orchestrators.ORCHESTRATORS:
    app.orchestration_trigger(context_name="context")(orchestrator)

for activity in activities.ACTIVITIES:
    app.activity_trigger(input_name="order")(activity)

for route in ROUTES:
    handle = guarded(route)
    bound = app.durable_client_input(client_name="client")(handle) if route.wakes else handle
    app.route(route=route.path, methods=[route.method])(bound)


@app.queue_trigger(arg_name="message", queue_name=names.REQUEST_QUEUE, connection="CLOSURE_STORAGE")
@app.durable_client_input(client_name="client")
async def take_request(message: func.QueueMessage, client: Any) -> None:
    """A closure request from the queue."""
    await take_message(message, client, await wiring.prepared())


@app.queue_trigger(arg_name="message", queue_name=names.NOTICE_QUEUE, connection="CLOSURE_STORAGE")
async def send_notice(message: func.QueueMessage) -> None:
    """A message to a person or to the Teams channel that is due."""
    await deliver_notice(message, await wiring.prepared())


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
@app.durable_client_input(client_name="client")
async def sweep(timer: func.TimerRequest, client: Any) -> None:
    """Every minute: nothing live stays without a run, no wake-up stays lost."""
    await look_after_all(client, await wiring.prepared())
