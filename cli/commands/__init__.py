"""The commands, grouped by what a person wants: file, read, decide, steer, prove, serve, rehearse.

Heavy libraries are imported inside functions here, so that `closure --help` answers at once.
"""
