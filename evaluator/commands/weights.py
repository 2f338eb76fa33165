"""`whichquant weights`: what the files of builds hold, and how far their weights are from the first one's.

With `--json` one object:

    reference    the first build
    builds       list, the reference first: {"file": text, "form": "GGUF" or "MLX", "architecture": text,
                 "quantization": text or null, "size_bytes": number, "weights": number, "bits_per_weight": number,
                 "tensor_bits_per_weight": number, "error": share or null, "groups": list, "tensors": list,
                 "promises": list, "notes": list of sentences}
    groups       {"group": text, "weights": number, "bits_per_weight": number, "types": {type: tensors},
                 "error": share or null, "largest_error": share or null, "largest_error_in": tensor or null}
    tensors      {"name": text, "group": text, "type": text, "shape": list, "bits_per_weight": number,
                 "error": share or null}
    promises     {"type": text, "where": list, "kept": number, "matrices": number, "denied": list of
                 {"tensor": text, "type": text, "row": number, "why": "rows" or "recipe"}}

An error is a relative RMS: 0.08 is 8 % of the reference's weights.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console, ConsoleRenderable
from rich.status import Status
from rich.table import Table
from rich.text import Text

from evaluator.fidelity.models import open_model
from evaluator.fidelity.weight_errors import BuildWeights, measure
from evaluator.text import one_line
from servers.wording import in_bytes

_SMALLEST = 1e-5


def show_weights(models: Sequence[Path], *, as_json: bool, console: Console) -> int:
    """Weigh builds, compare them with the first, and print what was found; give the exit code.

    Args:
        models: GGUF files or folders of MLX weights.
        as_json: Print one JSON object in place of tables.
        console: Where it is shown.

    Raises:
        StudyError: A model is none, damaged, or another than the first.
    """
    opened = [open_model(path) for path in models]
    with console.status("Reading weights …") as status:
        found = [measure(opened[0])]
        found += [measure(model, opened[0], partial(_say, status, model.name)) for model in opened[1:]]
    if as_json:
        summary = {"reference": found[0].file, "builds": msgspec.to_builtins(found)}
        console.out(json.dumps(summary, indent=2), highlight=False)
        return 0
    for part in _parts(found):
        console.print(part)
    return 0


def _say(status: Status, file: str, tensor: str) -> None:
    status.update(Text(one_line(f"Reading {file}: {tensor}")))


def _parts(found: Sequence[BuildWeights]) -> Iterator[ConsoleRenderable]:
    reference, *others = found
    yield _overview(found)
    if others:
        yield Text(f"Errors are of the weights, against {one_line(reference.file)} (relative RMS); not of answers.\n")
    for build in found:
        yield Text.assemble(
            (one_line(build.file), "bold"), f": {build.form}, {one_line(build.quantization or 'types unknown')}"
        )
        yield _groups(build, compared=build.error is not None)
        yield from (Text(one_line(promise.in_words())) for promise in build.promises)
        yield from (Text(one_line(note)) for note in build.notes)
        yield Text("")


def _overview(found: Sequence[BuildWeights]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("build", overflow="fold")
    for name in ("size", "weights", "bits\n(file)", "bits\n(tensors)", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    for place, build in enumerate(found):
        error = _error(build.error) if place else "reference"
        table.add_row(
            one_line(build.file),
            in_bytes(build.size_bytes),
            _count(build.weights),
            f"{build.bits_per_weight:.2f}",
            f"{build.tensor_bits_per_weight:.2f}",
            error if len(found) > 1 else "",
        )
    return table


def _groups(build: BuildWeights, *, compared: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("group", no_wrap=True)
    table.add_column("weights", justify="right", no_wrap=True)
    table.add_column("bits", justify="right", no_wrap=True)
    if compared:
        table.add_column("error", justify="right", no_wrap=True)
        table.add_column("largest", justify="right", no_wrap=True)
    table.add_column("types", overflow="fold")
    for group in build.groups:
        errors = (_error(group.error), _error(group.largest_error)) if compared else ()
        types = ", ".join(f"{one_line(kind)} × {count}" for kind, count in group.types.items())
        table.add_row(group.group, _count(group.weights), f"{group.bits_per_weight:.2f}", *errors, types)
    return table


def _count(number: int) -> str:
    for unit, scale in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= scale:
            return f"{number / scale:.1f} {unit}"
    return str(number)


def _error(share: float | None) -> str:
    if share is None:
        return "unknown"
    if share and share < _SMALLEST:
        return "< 0.001 %"
    return f"{100 * share:.3g} %"
