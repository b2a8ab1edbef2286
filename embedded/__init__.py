"""The local host: runs function_app.py, unchanged, in one process on the loopback interface.

Start with ``embedded.host.LocalHost`` (from Python) or ``python -m embedded`` (from a shell).
This file imports nothing, so that the parts which must start quickly (``leash.py``) stay light.
"""
