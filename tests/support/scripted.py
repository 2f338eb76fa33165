"""Studies of scripted servers, for the tests of whole runs."""

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from evaluator.benchmarks import humaneval, mmlu_pro
from evaluator.cli import main
from servers.fake import FakeServer, Reply, Script

ANSWERS = {q.prompt.messages[0]["content"]: q.answer for q in mmlu_pro.load(shots=0)}
HUMANEVAL = {q.prompt.messages[0]["content"]: q for q in humaneval.load()}


def prompt_of(body: Any) -> str:
    return str(body["messages"][0]["content"])


def right(body: Any, _number: int = 0) -> Reply:
    """Answer every MMLU-Pro question rightly, and every HumanEval problem with a stub."""
    if prompt_of(body) in ANSWERS:
        return Reply(text=f"Let's see. The answer is ({ANSWERS[prompt_of(body)]}).")
    return Reply(text=f"```python\n{HUMANEVAL[prompt_of(body)].code_prompt}    pass\n```")


def wrong(body: Any, _number: int = 0) -> Reply:
    letter = "B" if ANSWERS.get(prompt_of(body)) == "A" else "A"
    return Reply(text=f"The answer is ({letter}).")


STUDY = """\
study: s
baseline: good
variants:
{variants}
benchmarks: {{mmlu_pro: {{questions: {n}, shots: 0, margin: 10}}}}
sampling: {{max_tokens: 100}}
concurrency: 3
"""


def without_noise_floor(study: str) -> str:
    """Let a study, as YAML, ask the baseline nothing twice unless it says so: a test counts its requests."""
    if "noise_floor" in study:
        return study
    if "decide: {" in study:
        return study.replace("decide: {", "decide: {noise_floor: 0, ", 1)
    return study.rstrip("\n") + "\ndecide: {noise_floor: 0}\n"


class Bench:
    """A folder with a study of fake servers."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.fakes: dict[str, FakeServer] = {}

    def study(self, n: int = 20, extra: str = "", **scripts: Script) -> Path:
        lines = []
        for name, script in scripts.items():
            fake = self.stack.enter_context(FakeServer(script))
            self.fakes[name] = fake
            lines.append(f'  - {{name: {name}, model: fake, base_url: "{fake.base_url}"}}')
        path = self.folder / "study.yaml"
        path.write_text(without_noise_floor(STUDY.format(variants="\n".join(lines), n=n) + extra))
        return path

    def run(self, study: Path, *more: str, check: bool = False) -> Result:
        """Run a study; without the check before it, whose requests a test would have to know."""
        how = [*more, *([] if check else ["--no-check"])]
        return CliRunner().invoke(main, ["run", str(study), "--runs", str(self.folder / "runs"), *how])

    def report(self) -> Any:
        return json.loads((self.folder / "runs" / "s" / "report.json").read_text())

    def asked(self, name: str) -> list[str]:
        return [prompt_of(body) for body in self.fakes[name].requests]


def mostly(share: float, seed: str) -> Callable[[Any, int], Reply]:
    """Solve this share of the questions, the same ones for the same seed."""

    def answer(body: Any, _number: int) -> Reply:
        drawn = int(hashlib.sha256((seed + prompt_of(body)).encode()).hexdigest(), 16) % 1000
        return right(body) if drawn < 1000 * share else wrong(body)

    return answer
