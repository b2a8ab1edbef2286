"""Messages to people: put on record, queued, sent, given up.

```text
ask, tell_*  ->  notice on record (pending)  ->  closure-notices  ->  deliver  ->  sent
                                                     ^                   |-> overtaken   nobody needs it any more
                                                     |                   |-> failed      shown, audited, deputies asked
                                          requeue (each sweep)           '-> raised      the queue tries again
```

A crash at any point costs time or doubles a mail; it never loses a message, and no link goes out that is not on record.
"""

from tenantclosure.outbox.asking import ask, escalate
from tenantclosure.outbox.delivering import deliver, requeue
from tenantclosure.outbox.tasking import remind_tasks, tell_escalated, tell_tasks
from tenantclosure.outbox.telling import tell_decided, tell_ended

__all__ = [
    "ask",
    "deliver",
    "escalate",
    "remind_tasks",
    "requeue",
    "tell_decided",
    "tell_ended",
    "tell_escalated",
    "tell_tasks",
]
