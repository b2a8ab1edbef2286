"""Every name that two places must agree on: phases, gates, families, activities, events, ids, record keys."""

from __future__ import annotations

from enum import StrEnum

SCHEMA = 1
"""Version of the JSON that crosses durable boundaries and lies in Records."""


class Phase(StrEnum):
    """The phases of a closure in their order (design/product.md, "The order of a closure")."""

    PREFLIGHT = "preflight"
    SURVEY = "survey"
    GATE_PLAN = "gate-plan"
    FREEZE = "freeze"
    SYNC_OFF = "sync-off"
    PURCHASES = "self-service-purchases"
    QUIET = "quiet-period"
    USERS = "delete-users"
    CANCEL = "cancel-subscriptions"
    DELETE_SUBSCRIPTIONS = "delete-subscriptions"
    MFA_OFF = "mfa-off"
    APPLICATIONS = "applications"
    READINESS = "readiness"
    GATE_DELETE = "gate-delete-tenant"
    DELETE_TENANT = "delete-tenant"
    REPORT = "report"
    GATE_ROLLBACK = "gate-rollback"
    ROLLBACK = "rollback"
    """The last two only happen when somebody asks for a rollback."""


class Gate(StrEnum):
    """Points where people decide."""

    PLAN = "plan"
    GO_ON = "go-on"
    DELETE_TENANT = "delete-tenant"
    ROLLBACK = "rollback"
    """Only of a closure that is rolled back: it re-opens access, so people decide about it as about the plan."""


class Family(StrEnum):
    """Kinds of things a survey lists. The first five are removed; the others are read for snapshot and blockers."""

    USERS = "users"
    DOMAINS = "domains"
    SUBSCRIPTIONS = "subscriptions"
    APPLICATIONS = "applications"
    SERVICE_PRINCIPALS = "service-principals"
    GROUPS = "groups"
    DEVICES = "devices"
    ACCESS_POLICIES = "access-policies"
    LICENCES = "licences"


SHARDED_FAMILIES = (Family.USERS, Family.DOMAINS, Family.APPLICATIONS, Family.SERVICE_PRINCIPALS)
"""Families that Graph deletes, in shards of batches."""
REMOVED_FAMILIES = (*SHARDED_FAMILIES, Family.SUBSCRIPTIONS)
"""Every family of a plan."""


EXTERNAL_TYPES = {"CIAM": "ciam", "AAD B2C": "b2c"}
"""Types of tenants that are Azure resources of another tenant, and which kind of directory each is there (tenant-facts
B).
"""


class Status(StrEnum):
    """`status` of a closure on the API."""

    PLANNING = "planning"
    WAITING_APPROVAL = "waiting-approval"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    ENDED = "ended"


class Result(StrEnum):
    """`result` of an ended closure."""

    CLOSED = "closed"
    BLOCKED = "blocked"
    KEPT = "kept"
    VETOED = "vetoed"
    EXPIRED = "expired"
    ABORTED = "aborted"
    FAILED = "failed"


class Control(StrEnum):
    """What an operator asked of a live closure; read before each wave."""

    RUN = "run"
    PAUSE = "pause"
    ABORT = "abort"
    ROLLBACK = "rollback"


class Outcome(StrEnum):
    """What happened to one item."""

    REMOVED = "removed"
    ABSENT = "absent"
    KEPT = "kept"
    REFUSED = "refused"
    FAILED = "failed"
    RESTORED = "restored"
    """Only of a rollback: it is there again."""


OUTCOMES = tuple(outcome for outcome in Outcome if outcome != Outcome.RESTORED)
"""What may become of an item that is to be removed: what the counts of families tell."""


class Decision(StrEnum):
    """What a person can say at a gate."""

    APPROVE = "approve"
    VETO = "veto"
    REVOKE = "revoke"


class Notice(StrEnum):
    """Kinds of messages to people."""

    ASK = "ask"
    REMIND = "remind"
    ESCALATE = "escalate"
    """Asks a deputy, because others have not answered or could not be reached."""
    DECIDED = "decided"
    UNDELIVERED = "undelivered"
    """Tells the requester whom a message did not reach."""
    ENDED = "ended"
    TASK = "task"
    """A manual task was opened."""
    TASK_REMIND = "task-remind"


class Rail(StrEnum):
    """Separate safety checks; each has a test that tries to get past it."""

    ALLOW_LIST = "allow-list"
    HOME_TENANT = "home-tenant"
    TENANT_PIN = "tenant-pin"
    DIGEST = "plan-digest"
    SHARD_HASH = "shard-hash"
    APPROVAL = "approval"
    KEEPER = "keeper"
    OWN_IDENTITY = "own-identity"
    FENCE = "fence"
    SEAL = "seal"
    """A record that this deployment did not write, or that was changed since."""
    EVIDENCE = "evidence"
    """Stored outcomes are still what was written."""
    AUDIT = "audit"
    """The audit chain still holds its newest line on record."""
    BILLING_ACCOUNT = "billing-account"
    """Only subscriptions of billing accounts on the deployment's list are written to."""
    RETENTION = "retention"
    """Only of a closure that ended long ago records are purged."""


class TaskKind(StrEnum):
    """Manual tasks: what a person has to do because no API can."""

    TURN_OFF_SYNC = "turn-off-sync"
    CANCEL_SUBSCRIPTION = "cancel-subscription"
    DELETE_SUBSCRIPTION = "delete-subscription"
    TAKE_CONTROL = "take-control"
    DELETE_FREE_PRODUCT = "delete-free-product"
    TURN_OFF_RENEWAL = "turn-off-recurring-billing"
    DELETE_AZURE = "delete-azure-subscription"
    ASK_PARTNER = "ask-partner"
    ASK_SUPPORT = "ask-support"
    FIND_SELLER = "find-seller"
    """Two channels claim one subscription: nothing is called until a person has ended it."""
    EMPTY_AZURE = "empty-azure-subscription"
    FREEZE_SIGN_UPS = "freeze-sign-ups"
    RELEASE_USERS = "release-users"
    """Users under restricted management."""
    GRANT_ROLE = "grant-role"
    """Users with admin roles that our application's own role does not cover."""
    REMOVE_USERS = "remove-users"
    """Users whose deletion was refused for another reason."""
    REMOVE_IDENTITY = "remove-managed-identity"
    REMOVE_APPLICATION = "remove-application"
    EMPTY_DIRECTORY = "empty-external-directory"
    """User flows and whatever else only an external tenant has."""
    DELETE_TENANT = "delete-tenant"


class Word(StrEnum):
    """Audit words: subject:action. Free text never stands in their place."""

    CLOSURE_REQUESTED = "closure:requested"
    CLOSURE_STARTED = "closure:started"
    CLOSURE_PAUSED = "closure:paused"
    CLOSURE_UNPAUSED = "closure:unpaused"
    CLOSURE_ABORTED = "closure:aborted"
    CLOSURE_RESUMED = "closure:resumed"
    CLOSURE_ENDED = "closure:ended"
    PLAN_FROZEN = "plan:frozen"
    PLAN_DRIFTED = "plan:drifted"
    ITEMS_GONE = "items:gone"
    GATE_OPENED = "gate:opened"
    GATE_DECIDED = "gate:decided"
    GATE_CLOSED = "gate:closed"
    GATE_REOPENED = "gate:reopened"
    GATE_REMINDED = "gate:reminded"
    GATE_ESCALATED = "gate:escalated"
    DECISION_REFUSED = "decision:refused"
    NOTICE_SENT = "notice:sent"
    NOTICE_REACHED = "notice:reached"
    NOTICE_FAILED = "notice:failed"
    PHASE_STARTED = "phase:started"
    PHASE_ENDED = "phase:ended"
    SHARD_DONE = "shard:done"
    WRITE_MADE = "write:made"
    TASK_OPENED = "task:opened"
    TASK_REPORTED = "task:reported-done"
    TASK_PROVEN = "task:proven"
    TASK_ATTESTED = "task:attested"
    TASK_REMINDED = "task:reminded"
    TASK_ESCALATED = "task:escalated"
    SUBSCRIPTION_MOVED = "subscription:moved"
    ROLLBACK_REQUESTED = "rollback:requested"
    ROLLBACK_PLANNED = "rollback:planned"
    ROLLBACK_ENDED = "rollback:ended"
    RAIL_BROKEN = "rail:broken"
    BLOCKER_SEEN = "blocker:seen"
    REPORT_WRITTEN = "report:written"
    RECORDS_PURGED = "records:purged"


# Orchestrators -------------------------------------------------------------------------------------------------------
CLOSE_TENANT = "close_tenant"
AWAIT_GATE = "await_gate"
RUN_PHASE = "run_phase"
RUN_LANE = "run_lane"
END_SUBSCRIPTIONS = "end_subscriptions"
END_SUBSCRIPTION = "end_subscription"
AWAIT_MANUAL_TASK = "await_manual_task"
AWAIT_READY = "await_ready"


class Activity(StrEnum):
    """Names of the activities; a test compares them with what `activities` exports."""

    READ_PROGRESS = "read_progress"
    BEGIN_PHASE = "begin_phase"
    END_PHASE = "end_phase"
    CHECK_CONTROL = "check_control"
    REPLAN = "replan"
    END_CLOSURE = "end_closure"
    CHECK_PREFLIGHT = "check_preflight"
    SURVEY_FAMILY = "survey_family"
    FREEZE_PLAN = "freeze_plan"
    OPEN_GATE = "open_gate"
    JUDGE_GATE = "judge_gate"
    FREEZE_SIGN_UPS = "freeze_sign_ups"
    UNDO_FREEZE = "undo_freeze"
    TURN_OFF_SYNC = "turn_off_sync"
    OPEN_WAVE = "open_wave"
    SHARE_QUOTA = "share_quota"
    WORK_SHARD = "work_shard"
    CONFIRM_WAVE = "confirm_wave"
    LIST_SUBSCRIPTIONS = "list_subscriptions"
    ADVANCE_SUBSCRIPTION = "advance_subscription"
    TURN_OFF_MFA = "turn_off_mfa"
    DISABLE_REFUSED = "disable_refused"
    CHECK_READINESS = "check_readiness"
    OPEN_TASK = "open_task"
    PROBE_TASK = "probe_task"
    HAND_OVER = "hand_over"
    DELETE_DIRECTORY = "delete_directory"
    REVIEW_REFUSED = "review_refused"
    BEGIN_ROLLBACK = "begin_rollback"
    PLAN_ROLLBACK = "plan_rollback"
    FINISH_ROLLBACK = "finish_rollback"
    WRITE_REPORT = "write_report"


# Events (they only wake; what was decided is read from Records) -------------------------------------------------------
WAKE = "wake"

# Marks that two places read ------------------------------------------------------------------------------------------
HAND_OVER_BEGUN = "hand-over-begun"
"""Our service principal may be gone from now on: no token of ours is good for the tenant."""
DIRECTORY_DELETION = "directory-deletion"
"""Azure may be deleting this external tenant from now on (`activities.external` says what the mark holds)."""
DIRECTORY_VERDICT = "directory-verdict"
"""How that came out: {state: accepted or refused, why}."""
CHECKS = "checks"
"""The newest look at what stands in the way of deleting the tenant: {at, checks}."""

REPORT = "report"
"""The report as it lies there: {parts: how many files its CSV is}; serial 0, because there is one report."""

# Queues ---------------------------------------------------------------------------------------------------------------
REQUEST_QUEUE = "closure-requests"
POISON_QUEUE = "closure-requests-poison"
NOTICE_QUEUE = "closure-notices"
NOTICE_POISON_QUEUE = "closure-notices-poison"

# Storage --------------------------------------------------------------------------------------------------------------
CONTAINER = "closures"
AUDIT_CONTAINER = "closure-audit"
"""Audit chains lie apart, so that storage itself can refuse to change or delete them (docs/audit.md)."""
_AUDIT = "audit.ndjson"
TABLE = "closures"


def closure_id(tenant_id: str, number: int) -> str:
    """Id of a tenant's n-th closure."""
    return f"{tenant_id}-{number}"


def tenant_of(closure: str) -> str:
    """Tenant id inside a closure id (the first 36 characters, a GUID)."""
    return closure[:36]


def instance_id(closure: str, epoch: int) -> str:
    """Durable instance of one run of a closure. The epoch grows at each restart, so an older run is told apart."""
    return f"{closure}-e{epoch}"


def task_id(kind: str, target: str) -> str:
    """Id of the manual task of this kind about this thing."""
    return f"{kind}-{target}".lower()


def manifest_path(closure: str, serial: int) -> str:
    """Blob of a plan's manifest."""
    return f"{closure}/plan-{serial}/manifest.json"


def shard_path(closure: str, serial: int, family: str, shard: int) -> str:
    """Blob of one shard of a plan's listing (NDJSON)."""
    return f"{closure}/plan-{serial}/{family}/{shard:05d}.ndjson"


def listing_path(closure: str, serial: int, family: str) -> str:
    """Blob of a family's whole listing as surveyed (NDJSON): the snapshot."""
    return f"{closure}/snapshot-{serial}/{family}.ndjson"


def evidence_path(closure: str, serial: int, family: str, operation: str, shard: int) -> str:
    """Append blob with the outcomes of one shard (NDJSON)."""
    return f"{closure}/evidence-{serial}/{family}-{operation}/{shard:05d}.ndjson"


def difference_path(closure: str, serial: int) -> str:
    """Blob with what a plan holds other than the plan before it."""
    return f"{closure}/plan-{serial}/difference.json"


def audit_path(closure: str) -> str:
    """Append blob with the hash-chained audit lines; in AUDIT_CONTAINER."""
    return f"{closure}/{_AUDIT}"


def is_audit(path: str) -> bool:
    """Whether a blob is an audit chain."""
    return path.endswith(f"/{_AUDIT}")


def report_path(closure: str, form: str, part: int = 1) -> str:
    """Blob of the final report; `form` is html, json or csv. Of a large tenant the CSV is several parts."""
    return f"{closure}/report/report{'' if part == 1 else f'-{part}'}.{form}"
