"""`make chaos`: many seeds, two at once; each failing one is printed with its whole schedule."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.chaos.schedule import draw
from tests.chaos.seeds import Told, carry_out, failure


def summary(all_told: list[Told], seconds: float) -> str:
    """What was seen, in a few lines."""
    hits = sum((told.hits for told in all_told), Counter[str]())
    results = Counter(told.result for told in all_told)
    failed = [told.seed for told in all_told if told.faults]
    slowest = max(all_told, key=lambda told: told.seconds)
    rows = [
        ("seeds", str(len(all_told))),
        ("failed", f"{len(failed)}" + (f" ({', '.join(map(str, failed))})" if failed else "")),
        ("ends", ", ".join(f"{name} {count}" for name, count in results.most_common())),
        ("kills", str(hits.pop("kill", 0))),
        *(("hit", f"{name} {count}") for name, count in sorted(hits.items())),
        ("resent", str(sum(told.resent for told in all_told))),
        ("time", f"{seconds:.0f} s; the slowest closure {slowest.seconds:.0f} s (seed {slowest.seed})"),
    ]
    return "\n".join(f"{name:<8}{text}" for name, text in rows)


def run(seeds: list[int], workers: int, keep: Path | None) -> Iterator[Told]:
    """Every seed's end, as they come."""
    spawning = multiprocessing.get_context("spawn")  # a fresh interpreter: no threads of ours in it
    with ProcessPoolExecutor(workers, mp_context=spawning) as pool:
        for future in as_completed([pool.submit(carry_out, seed, keep) for seed in seeds]):
            yield future.result()


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one, and tell its schedule")
    parser.add_argument("--workers", type=int, default=2, help="closures at once")
    parser.add_argument("--keep", type=Path, help="leave logs and storage of every seed in this folder")
    asked = parser.parse_args()
    seeds = list(range(asked.first, asked.first + asked.seeds)) if asked.seed is None else [asked.seed]
    if asked.seed is not None:
        print(draw(asked.seed), flush=True)
    begin, all_told = time.monotonic(), []
    for told in run(seeds, asked.workers, asked.keep):
        all_told.append(told)
        print(failure(told) if told.faults else f"seed {told.seed}: {told.result} in {told.seconds:.0f} s", flush=True)
    print(summary(all_told, time.monotonic() - begin))
    return 1 if any(told.faults for told in all_told) else 0


if __name__ == "__main__":
    sys.exit(main())
