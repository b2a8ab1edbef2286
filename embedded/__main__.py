"""``python -m embedded``: the local host from a shell."""

import argparse
import os
import sys
from pathlib import Path

from embedded.host import serve


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m embedded", description="Run a Functions app in one process.")
    parser.add_argument("--app-dir", type=Path, default=Path(), help="folder with function_app.py and host.json")
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path(os.environ.get("CLOSURE_STATE_DIR", ".closure")),
        help="folder that keeps the storage (default: CLOSURE_STATE_DIR or .closure)",
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    arguments = parser.parse_args()
    return serve(arguments.app_dir, arguments.state_dir, arguments.port)


if __name__ == "__main__":
    sys.exit(main())
