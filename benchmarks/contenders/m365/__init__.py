"""The CLI for Microsoft 365 from npm, as a contender."""
