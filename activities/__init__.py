"""One touch of the world each: a plain dict in, port calls, a plain dict out."""

from activities.applications import disable_refused
from activities.bookkeeping import begin_phase, check_control, end_closure, end_phase, read_progress, replan
from activities.external import delete_directory
from activities.freeze import freeze_sign_ups, undo_freeze
from activities.gates import judge_gate, open_gate
from activities.mfa import turn_off_mfa
from activities.preflight import check_preflight
from activities.quota import share_quota
from activities.readiness import check_readiness
from activities.refused import review_refused
from activities.report import write_report
from activities.rollback import begin_rollback, plan_rollback
from activities.shards import work_shard
from activities.subscriptions import advance_subscription, list_subscriptions
from activities.survey import freeze_plan, survey_family
from activities.sync import turn_off_sync
from activities.tasks import open_task, probe_task
from activities.tenant import hand_over
from activities.undo import finish_rollback
from activities.waves import confirm_wave, open_wave

ACTIVITIES = (
    read_progress,
    begin_phase,
    end_phase,
    check_control,
    replan,
    end_closure,
    check_preflight,
    survey_family,
    freeze_plan,
    open_gate,
    judge_gate,
    freeze_sign_ups,
    undo_freeze,
    turn_off_sync,
    open_wave,
    share_quota,
    work_shard,
    confirm_wave,
    list_subscriptions,
    advance_subscription,
    turn_off_mfa,
    disable_refused,
    check_readiness,
    open_task,
    probe_task,
    hand_over,
    delete_directory,
    review_refused,
    begin_rollback,
    plan_rollback,
    finish_rollback,
    write_report,
)
"""Every activity; `function_app.py` registers each under its own name."""
