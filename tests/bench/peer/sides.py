"""The command lines of whichquant and its peers, all asking the same prompts of the same server."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from evaluator.benchmarks import mmlu_pro
from evaluator.benchmarks.order import nested_order
from tests.bench.cost import Side
from tests.bench.peer.environment import program

HERE = Path(__file__).parent
IN_FLIGHT = 32
SEED = 42
SHOTS = 5
LM_EVAL_TASK = {
    "task": "prompts",
    "dataset_path": "json",
    "test_split": "test",
    "output_type": "generate_until",
    "doc_to_text": "{{prompt}}",
    "doc_to_target": "{{answer}}",
    "filter_list": [
        {
            "name": "letter",
            "filter": [
                {"function": "regex", "regex_pattern": r"answer is \(?([ABCDEFGHIJ])\)?"},
                {"function": "take_first"},
            ],
        }
    ],
    "generation_kwargs": {"until": [], "max_gen_toks": 4096, "do_sample": False, "temperature": 0.0},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
"""As lm-evaluation-harness grades MMLU-Pro: the letter by a regular expression."""


def write_prompts(path: Path, questions: int) -> list[str]:
    """Write what whichquant asks in a study of so many 5-shot MMLU-Pro questions; give the texts."""
    chosen = nested_order(mmlu_pro.load(shots=SHOTS), SEED, mmlu_pro.repeated())[:questions]
    lines = [{"id": one.id, "prompt": one.text, "answer": one.answer} for one in chosen]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return [one.text for one in chosen]


def whichquant(url: str, *, stream: bool = False, check: bool = False, name: str = "whichquant") -> Side:
    """Give a study of one variant: asked, recorded, graded, shown, reported."""

    def command(questions: int, folder: Path) -> Sequence[str]:
        study = {
            "study": "bench",
            "baseline": "a",
            "variants": [{"name": "a", "model": "instant", "base_url": url}],
            "benchmarks": {"mmlu_pro": {"questions": questions, "shots": SHOTS}},
            "decide": {"noise_floor": 0},
            "concurrency": IN_FLIGHT,
            "stream": stream,
        }
        path = folder / "bench.yaml"
        path.write_text(yaml.safe_dump(study))
        plain = [sys.executable, "-m", "evaluator", "run", str(path), "--runs", str(folder)]
        return [*plain, *([] if check else ["--no-check"])]

    return Side(name, command)


def lm_eval(url: str, prompts: Path) -> Side:
    """Give lm-evaluation-harness over its model local-chat-completions, with a small task of its own."""

    def command(questions: int, folder: Path) -> Sequence[str]:
        task = {**LM_EVAL_TASK, "dataset_kwargs": {"data_files": {"test": str(_first(prompts, questions, folder))}}}
        (folder / "prompts.yaml").write_text(yaml.safe_dump(task))
        server = f"model=instant,base_url={url}/chat/completions,num_concurrent={IN_FLIGHT},max_retries=3"
        plain = [program("lm_eval"), "run", "--model", "local-chat-completions", "--model_args", server]
        plain += ["--tasks", "prompts", "--include_path", str(folder), "--apply_chat_template"]
        return [*plain, "--output_path", str(folder / "out"), "--log_samples"]

    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OPENAI_API_KEY": "none"}
    return Side("lm-evaluation-harness", command, offline)


def inspect(url: str, prompts: Path, *, stream: bool = False) -> Side:
    """Give Inspect over its openai-compatible provider, with a small task."""

    def command(questions: int, folder: Path) -> Sequence[str]:
        path = _first(prompts, questions, folder)
        shutil.copy(HERE / "inspect_task.py", folder)  # it takes paths that are relative only
        plain = [program("inspect"), "eval", "inspect_task.py", "--model", "openai-api/bench/instant"]
        plain += ["-T", f"path={path}", "-M", f"stream={str(stream).lower()}", "--max-tokens", "4096"]
        plain += ["--max-connections", str(IN_FLIGHT), "--max-samples", str(IN_FLIGHT), "--temperature", "0"]
        return [*plain, "--log-dir", str(folder / "logs"), "--display", "plain"]

    return Side("Inspect", command, {"BENCH_API_KEY": "none", "BENCH_BASE_URL": url})


def loop(library: str, name: str, url: str, prompts: Path, *, stream: bool = False) -> Side:
    """Give a bare loop of a library."""

    def command(questions: int, folder: Path) -> Sequence[str]:
        del folder
        how = "stream" if stream else "whole"
        return [program("python"), str(HERE / "loops.py"), library, url, str(prompts), str(questions), how]

    return Side(name, command)


def _first(prompts: Path, questions: int, folder: Path) -> Path:
    path = folder / "prompts.jsonl"
    with prompts.open(encoding="utf-8") as lines:
        path.write_text("".join(line for line, _ in zip(lines, range(questions), strict=False)), encoding="utf-8")
    return path
