"""Measures whole closures beside what a person would otherwise run, on the same simulator with the same settings."""
