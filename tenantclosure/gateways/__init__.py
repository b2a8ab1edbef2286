"""Adapters that talk to the world: each implements one port of `tenantclosure.ports`."""
