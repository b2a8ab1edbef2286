"""Everything Tenant Closure knows, importable without a host."""
