"""A rehearsal: simulator, local host and one closure from request to report, in one command."""
