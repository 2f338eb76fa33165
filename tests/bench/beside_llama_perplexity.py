"""whichquant fidelity beside llama-perplexity: the same text, the same builds, number for number.

`python -m tests.bench.beside_llama_perplexity LLAMA_PERPLEXITY TEXT REFERENCE.gguf BUILD.gguf …` prints for each number
what each of them says, and what each took; llama-perplexity should be of the llama.cpp version that whichquant loads.
The text must not end in a line end. Seconds are of the processor, whole processes with their children.
"""

import os
import re
import resource
import sys
import tempfile
from pathlib import Path

from evaluator.fidelity.file import read_fidelity
from evaluator.fidelity.nouns import BuildFidelity, Estimate

TOKENS, CONTEXT = 2048, 512
NUMBER = r"(-?[\d.]+)"
ROWS = {
    "perplexity": (rf"Mean PPL\(Q\)\s*:\s*{NUMBER}", "perplexity", 1, 6),
    "perplexity ratio": (rf"Mean PPL\(Q\)/PPL\(base\)\s*:\s*{NUMBER}", "perplexity_ratio", 1, 6),
    "mean KLD": (rf"Mean    KLD:\s*{NUMBER}", "mean_kld", 1, 6),
    "median KLD": (rf"Median  KLD:\s*{NUMBER}", "median_kld", 1, 6),
    "99 % KLD": (rf"99\.0%   KLD:\s*{NUMBER}", "p99_kld", 1, 6),
    "largest KLD": (rf"Maximum KLD:\s*{NUMBER}", "largest_kld", 1, 6),
    "RMS delta p, %": (rf"RMS Δp    :\s*{NUMBER}", "rms_delta_p", 100, 3),
    "same top token, %": (rf"Same top p:\s*{NUMBER}", "top1_agreement", 100, 3),
}


def run(command: list[str], output: Path) -> str:
    """Run a program with its output in a file; return what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with output.open("wb") as file:
        redirected = [(os.POSIX_SPAWN_DUP2, file.fileno(), number) for number in (1, 2)]
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=redirected)
        _, status, _ = os.wait4(pid, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status:
        raise SystemExit(f"{' '.join(command)} failed: {output.read_text(errors='replace')[-500:]}")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{seconds:.1f} s"


def ours(build: BuildFidelity, field: str) -> float:
    """Return one of our numbers."""
    value = getattr(build, field)
    return value.value if isinstance(value, Estimate) else float(value)


def main() -> None:
    """Measure with both, and print the table."""
    program, text, *models = sys.argv[1:]
    reference, *builds = map(Path, models)
    both = ["-c", str(CONTEXT), "-b", str(CONTEXT), "-t", "1"]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        kept = ["--kl-divergence-base", str(folder / "theirs.kld")]
        chunks = ["--chunks", str(TOKENS // CONTEXT)]
        took = run([program, "-m", str(reference), "-f", text, *both, *chunks, *kept], folder / "base.txt")
        print(f"llama-perplexity {reference.name}: {took}")
        said = (folder / "base.txt").read_text(errors="replace")
        theirs = {}
        for build in builds:
            took = run([program, "-m", str(build), *both, *kept, "--kl-divergence"], folder / "build.txt")
            print(f"llama-perplexity {build.name}: {took}")
            theirs[build.stem] = (folder / "build.txt").read_text(errors="replace")
        command = [sys.executable, "-m", "evaluator", "fidelity", *models, "--text", text, "--threads", "1", "--json"]
        command += ["--tokens", str(TOKENS), "--context", str(CONTEXT), "--output", str(folder / "ours")]
        print(f"whichquant, all of them: {run(command, folder / 'ours.txt')}")
        found = read_fidelity(folder / "ours")
        mine = next((folder / "ours" / "fidelity").glob("*.kld")).read_bytes()
        other = (folder / "theirs.kld").read_bytes()
        apart = sum(a != b for a, b in zip(mine, other, strict=True)) if len(mine) == len(other) else "all"
        print(f"kept probabilities: {len(mine):,} bytes, {apart} of them differ")
    final = re.search(rf"Final estimate: PPL = {NUMBER}", said)
    for one in found.builds if found else ():
        print(f"\n{one.build}, {one.scored} tokens, blocks of {one.block_tokens}")
        if final and one.reference_perplexity:
            mine_too = f"{one.reference_perplexity.value:.4f}"
            print(f"  {'of the reference':20} {final[1]:>12} {mine_too:>12}")
        for title, (pattern, field, times, digits) in ROWS.items():
            number = re.search(pattern, theirs[one.build])
            print(f"  {title:20} {number[1] if number else '':>12} {times * ours(one, field):>12.{digits}f}")


if __name__ == "__main__":
    main()
