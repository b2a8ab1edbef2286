"""The `closure` command: a client of the HTTP API, plus a local host (`serve`) and a rehearsal (`demo`)."""
