"""The CLI for Microsoft 365 as a program: installed on demand, a home of its own, its hosts led to the simulator."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders.entry import Target

HERE = Path(__file__).parent
PACKAGE = HERE / "node_modules" / "@pnp" / "cli-microsoft365"


def install() -> None:
    """Install what the lock file names, unless it is there. Raises CalledProcessError when npm can not."""
    if not PACKAGE.exists():
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(npm, cwd=HERE, check=True, stdout=subprocess.DEVNULL)


@dataclass(frozen=True)
class M365:
    """The command, signed in to one tenant."""

    target: Target
    home: Path

    @classmethod
    async def signed_in(cls, target: Target, home: Path) -> M365:
        """Sign in with the certificate; telemetry and the search for updates are off."""
        config = home / ".config" / "configstore" / "cli-m365-config.json"
        config.parent.mkdir(parents=True)
        config.write_text(json.dumps({"disableTelemetry": True}), encoding="utf-8")
        command = cls(target, home)
        app = ("--appId", target.client, "--tenant", target.tenant)
        await command.asked("login", "--authType", "certificate", "--certificateFile", target.certificate, *app)
        return command

    async def start(self, script: Path, *words: str, stdin: int = DEVNULL, stderr: int | None = None) -> Process:
        """Start Node on a script of the package or of ours and read what it prints."""
        return await asyncio.create_subprocess_exec(
            "node",
            "--require",
            str(HERE / "preload.cjs"),
            str(script),
            *words,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "NO_UPDATE_NOTIFIER": "1",
                "NODE_EXTRA_CA_CERTS": self.target.authorities,
                "CONTENDER_GRAPH": self.target.url,
                "CONTENDER_LOGIN": self.target.login,
            },
            stdin=stdin,
            stdout=PIPE,
            stderr=stderr,
        )

    async def told(self, *words: str) -> tuple[int, bytes]:
        """(exit code, all that it printed) of one command in a process of its own, as a user's script has it."""
        process = await self.start(PACKAGE / "dist" / "index.js", *words, stderr=STDOUT)
        output, _ = await process.communicate()
        return process.returncode or 0, output

    async def asked(self, *words: str) -> Any:
        """The JSON a command answers; raises RuntimeError when it fails."""
        code, output = await self.told(*words, "--output", "json")
        if code:
            raise RuntimeError(
                f"m365 {' '.join(words[:3])} ended with exit code {code}: {output.decode(errors='replace')}"
            )
        return json.loads(output)
