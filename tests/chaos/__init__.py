"""Whole closures under kills, cuts and faults, drawn from a seed; the other side's books are the judge."""
