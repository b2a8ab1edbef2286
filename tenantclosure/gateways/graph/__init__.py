"""Microsoft Graph: reading through msgraph-sdk, writing through `$batch`. Importing this package loads no SDK."""

from tenantclosure.gateways.graph.directory import GraphDirectory

__all__ = ["GraphDirectory"]
