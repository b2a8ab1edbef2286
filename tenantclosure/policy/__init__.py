"""Decisions as pure functions: no clock, no environment, no randomness, no I/O."""
