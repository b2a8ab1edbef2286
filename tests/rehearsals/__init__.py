"""Whole closures: the simulator and the local host as separate processes, driven by HTTP alone."""
