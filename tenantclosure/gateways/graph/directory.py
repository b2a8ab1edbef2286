"""`ports.Directory` on Microsoft Graph: the reading half and the writing half put together."""

from __future__ import annotations

from tenantclosure.gateways.graph.reading import Reading
from tenantclosure.gateways.graph.writing import Writing


class GraphDirectory(Reading, Writing):
    """One tenant's directory. `GraphDirectory(settings, credentials, tenant_id, clock=None)`."""
