"""Where the peers are installed: an environment of their own, made when it is first needed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".venv-bench"
PACKAGES = ("lm-eval", "inspect-ai", "openai", "httpx2", "aiohttp")


def install() -> None:
    """Install the dependency group `bench`, as it is locked."""
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    where = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(FOLDER)}
    subprocess.run([uv, "sync", "--quiet", "--locked", "--only-group", "bench"], cwd=ROOT, env=where, check=True)


def program(name: str) -> str:
    """Give the path of one of its programs."""
    return str(FOLDER / "bin" / name)


def versions() -> str:
    """Name the peers with their versions."""
    ask = (
        "import importlib.metadata, sys; print(', '.join(f'{n} {importlib.metadata.version(n)}' for n in sys.argv[1:]))"
    )
    done = subprocess.run([program("python"), "-c", ask, *PACKAGES], capture_output=True, text=True, check=True)
    return done.stdout.strip()
