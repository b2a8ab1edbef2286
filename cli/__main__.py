"""`python -m cli`: the same as the `closure` command."""

from cli.main import main

main()
