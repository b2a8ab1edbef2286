"""The story of a closure: generators that decide with data and never touch the world themselves."""

from orchestrators.await_gate import await_gate
from orchestrators.await_manual_task import await_manual_task
from orchestrators.await_ready import await_ready
from orchestrators.close_tenant import close_tenant
from orchestrators.end_subscription import end_subscription
from orchestrators.end_subscriptions import end_subscriptions
from orchestrators.metering import metered
from orchestrators.run_phase import run_lane, run_phase

STORIES = (
    *(close_tenant, await_gate, run_phase, run_lane, end_subscriptions, end_subscription),
    *(await_manual_task, await_ready),
)
ORCHESTRATORS = tuple(metered(story) for story in STORIES)
"""Every orchestrator; `function_app.py` registers each under its own name."""
