"""The command ``python -m simulator``: reads the options, prints one ready line, runs until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from pathlib import Path

from simulator.commerce.products import PROFILES
from simulator.control import parse_quota
from simulator.graph.neighbour import MOST_WRITES
from simulator.server import running
from simulator.world import Options

MOST_USERS = 1_000_000


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    p = argparse.ArgumentParser("python -m simulator", description="Play Microsoft on the loopback interface.")
    p.add_argument("--port", type=int, default=0, help="port of the imitated APIs; 0 chooses a free one")
    p.add_argument("--seed", type=int, default=7, help="same seed, same tenants")
    p.add_argument("--users", type=int, default=50, help="users in the target tenant, the keeper included")
    p.add_argument("--profile", choices=tuple(PROFILES), default="small", help="kind of tenant")
    p.add_argument("--quota", type=parse_quota, default=(3000, 150.0), metavar="off|CAP/WINDOW", help="write quota")
    p.add_argument(
        "--neighbour", type=float, default=0.0, metavar="RATE", help="another program asks for so many writes a second"
    )
    p.add_argument("--latency-ms", type=float, default=0.0, help="wait before every outer answer")
    p.add_argument("--lag-ms", type=float, default=1000.0, help="how late listings are")
    p.add_argument("--day-seconds", type=float, default=86400.0, help="length of one of Microsoft's days")
    p.add_argument(
        "--tenants", type=int, default=1, help="targets of the same size; the first is the one that is judged"
    )
    p.add_argument("--state-dir", type=Path, help="folder for the certificates; default is removed at exit")
    p.add_argument("--robot", action="store_true", help="accepted; the portal robot waits for POST /_sim/robot anyway")
    return p


async def _run(args: argparse.Namespace, folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    options = Options(
        seed=args.seed,
        users=args.users,
        profile=args.profile,
        quota=args.quota,
        latency_ms=args.latency_ms,
        day_seconds=args.day_seconds,
        lag_ms=args.lag_ms,
        neighbour=args.neighbour,
        tenants=args.tenants,
    )
    async with running(options, folder, port=args.port) as world:
        print(json.dumps(world.info), flush=True)
        await stop.wait()


def main() -> int:
    """Run the command."""
    args = parser().parse_args()
    if not 1 <= args.users <= MOST_USERS:
        print(f"--users must be 1 to {MOST_USERS:,}: the keeper is one of them", file=sys.stderr)
        return 2
    if not 0 <= args.neighbour <= MOST_WRITES:
        print(f"--neighbour must be 0 to {MOST_WRITES} writes a second", file=sys.stderr)
        return 2
    try:
        if args.state_dir is not None:
            args.state_dir.mkdir(parents=True, exist_ok=True)
            asyncio.run(_run(args, args.state_dir))
        else:
            with tempfile.TemporaryDirectory(prefix="closure-simulator-") as folder:
                asyncio.run(_run(args, Path(folder)))
    except OSError as error:
        print(f"cannot listen on 127.0.0.1:{args.port}: {error.strerror}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
