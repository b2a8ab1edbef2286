"""How a closure lies in Records: its row, lease, marks, shards, gates, decisions, tasks, notices and audit lines.

Partitions of the one table (keys sort as written):

```text
lease      {tenantId}                             {closureId, at, turn}          one live closure per tenant
numbers    {tenantId}                             {last}                         how many closures there were
closure    {closureId}                            the closure's row
link       {sha256 of the token}                  whose page a link in a message opens
nonce      {application}:{sha256}                 used up by a callback
deployment records, host                          whose Records these are, and which host works on them
{closureId} mark:{phase}:{serial}                 a phase is done (or a point in it passed); `watch`: what is overdue
            shard:{serial}:{family}:{op}:{nnnnn}  counts of one shard, `done` when its evidence is complete
            gate:{gate}:{serial}                  terms and state of one gate
            decision:{gate}:{serial}:{at}:{oid}   what a person said
            notice:{notice}                       a message to one person or channel
            task:{task}                           a manual task
            sub:{item}                            where one subscription stands
            audit-head                            the newest line of its audit chain
```

Every document is sealed (`sealed`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tenantclosure.ledger.book import iso
from tenantclosure.ledger.closures import Closures
from tenantclosure.ledger.deployment import Deployment
from tenantclosure.ledger.gates import Gates
from tenantclosure.ledger.leases import turn_of
from tenantclosure.ledger.notices import Notices
from tenantclosure.ledger.retention import Retention
from tenantclosure.ledger.tasks import Tasks
from tenantclosure.ledger.work import Work
from tenantclosure.ports import JSON

__all__ = ["Ledger", "iso", "once", "turn_of"]


class Ledger(Closures, Work, Gates, Tasks, Notices, Deployment, Retention):
    """Every read and write of closure records; the only place that knows their keys."""


async def once(ledger: Ledger, closure: str, mark: str, serial: int, work: Callable[[], Awaitable[JSON]]) -> JSON:
    """Do `work` unless its mark is there; the mark's document is what it returned."""
    found = await ledger.mark(closure, mark, serial)
    if found is not None:
        return found
    doc = await work()
    await ledger.set_mark(closure, mark, serial, doc)
    return doc
