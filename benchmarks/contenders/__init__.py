"""What people would otherwise run to delete the users of a tenant; each is `python -m benchmarks.contenders.NAME`."""
