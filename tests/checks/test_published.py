"""Published scores: which model is meant, which result cannot be it, and what is wrong with a table."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from evaluator.checks.published import family_of, implausible, implausible_counts, published, read_published
from evaluator.checks.rule import CheckInput, Finding
from evaluator.commands.compare import compare_counts
from evaluator.decide.score import score
from evaluator.errors import StudyError
from evaluator.records import Answer, Grade, Key, Record
from evaluator.stats.proportions import wilson
from evaluator.study.file import parse
from servers.spec import ServerFacts
from tests.support.outlined import outlined, seen
from tests.support.scripted import Bench, right, wrong

GEMMA = "mlx-community/gemma-4-26b-a4b-it-4bit"
LLAMA = "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf"
SEED = Path(__file__).parents[2] / "runs" / "gemma4-qat-counts"


@pytest.mark.parametrize(
    ("name", "family"),
    [
        (GEMMA, "Gemma 4 26B-A4B"),
        ("gemma4:26b-a4b-it-q4_K_M", "Gemma 4 26B-A4B"),
        ("unsloth/gemma-4-E2B-it-qat-GGUF", "Gemma 4 E2B"),
        ("gemma-3-27b-it-q4_0.gguf", "Gemma 3 27B"),
        ("gemma-3n-E4B-it-Q8_0.gguf", "Gemma 3n E4B"),
        (LLAMA, "Llama 3.1 8B"),
        ("llama3.3:70b", "Llama 3.3 70B"),
        ("Qwen2.5-7B-Instruct-Q4_K_M.gguf", "Qwen2.5 7B"),
        ("qwen2.5-coder:7b", "Qwen2.5-Coder 7B"),
        ("Qwen3-30B-A3B-Instruct-2507-UD-Q4_K_XL.gguf", "Qwen3 30B-A3B Instruct 2507"),
        ("mistral-small3.2:24b", "Mistral Small 3.2 24B"),
        ("Mistral-Small-24B-Instruct-2501-Q6_K.gguf", "Mistral Small 3 24B"),
        ("phi-4-Q4_K_M.gguf", "Phi-4 14B"),
        ("microsoft_Phi-4-mini-instruct-Q8_0.gguf", "Phi-4-mini"),
    ],
)
def test_a_model_is_known_by_what_its_files_are_called(name: str, family: str) -> None:
    found = family_of([name])

    assert found is not None
    assert found.family == family


@pytest.mark.parametrize(
    "name",
    [
        *("lab-full-Q8_0.gguf", "SmolLM2-135M-Instruct", "gemma-3-270m-it", "default_model", "", "gpt-oss-20b"),
        *("DeepSeek-R1-Distill-Llama-8B", "DeepSeek-R1-0528-Qwen3-8B", "gemma-4-26B-A4B-it-abliterated"),
        *("Hermes-3-Llama-3.1-8B", "Llama-3.1-Nemotron-70B", "gemma-3-27b-pt-q4_0", "Qwen2.5-7B-base"),
        *("Qwen2.5-VL-7B-Instruct", "Qwen3-30B-A3B-Thinking-2507", "Phi-4-reasoning-plus", "medgemma-27b"),
    ],
)
def test_of_other_weights_nothing_is_published(name: str) -> None:
    """Neither of models that are not in the table nor of ones that are made from some in it."""
    found = family_of([name])

    assert found is None or found.scores == ()
    assert implausible_counts(name, "mmlu_pro", 1, 200) is None


def scene(
    model: str = GEMMA,
    *,
    benchmark: str = "mmlu_pro",
    correct: int,
    of: int,
    thinking: bool | None = True,
    thoughts: str = "",
    form: str = "chat",
    repeats: int = 1,
    **facts: Any,
) -> CheckInput:
    """Make a run of one variant; each question is answered `repeats` times alike."""
    told = "" if thinking is None else f", thinking: {str(thinking).lower()}"
    study = parse(
        f"study: s\nbaseline: a\nvariants: [{{name: a, model: '{model}', runtime: llama_server{told}}}]\n"
        f"benchmarks: {{{benchmark}: {{questions: {min(of, 160)}, format: {form}, repeats: {repeats}}}}}\n",
        "s.yaml",
    )
    keys = [Key(benchmark, str(i), repeat) for i in range(of) for repeat in range(repeats)]
    answer = Answer(text="The answer is (A).", reasoning=thoughts, duration_s=1.0)
    records = [Record(key=key, variant="a", started="2026-01-01T00:00:00Z", request={}, answer=answer) for key in keys]
    grades = [
        Grade(
            key=key, variant="a", outcome="correct" if int(key.question_id) < correct else "wrong", extracted="", why=""
        )
        for key in keys
    ]
    scored = score("a", benchmark, planned=len(keys), records=outlined(records).records, grades=grades)
    said = {"a": ServerFacts(runtime="llama_server", engine="e", **facts)}
    return CheckInput(study=study, facts=said, **seen({"a": records}, grades=grades), scores=[scored])


def test_the_score_that_began_this_is_found() -> None:
    """29 of 50 where 82.6 % is published: P(X <= 29) is 4e-5."""
    (found,) = implausible(scene(correct=29, of=50))

    assert isinstance(found, Finding)
    assert (found.severity, found.variant, found.benchmark) == ("warn", "a", "mmlu_pro")
    assert found.message == (
        "harness suspect: 58.0 % of 50 questions, where 82.6 % is published for Gemma 4 26B-A4B (thinking on; Google,"
        " Gemma 4 model card, https://huggingface.co/google/gemma-4-26B-A4B-it); if that were its share, a score this"
        " low would come with probability 4e-5"
    )
    assert found.evidence["probability"] == pytest.approx(4e-5, rel=0.2)
    assert found.evidence["published"] == 0.826


@pytest.mark.parametrize(
    "clean",
    [
        pytest.param({"correct": 165, "of": 200}, id="as published"),
        pytest.param({"correct": 148, "of": 200}, id="8.6 points below"),
        pytest.param({"correct": 732, "of": 1000}, id="9.4 points below, and certain of it"),
        pytest.param({"correct": 5, "of": 10}, id="far off, but of few questions"),
        pytest.param({"correct": 0, "of": 2}, id="none of two"),
        pytest.param({"correct": 100, "of": 200, "thinking": False}, id="published with thinking, asked without"),
        pytest.param({"correct": 100, "of": 200, "thinking": None}, id="replies show that it did not think"),
        pytest.param({"model": "lab.gguf", "correct": 2, "of": 200}, id="nobody knows this model"),
        pytest.param({"model": LLAMA, "correct": 92, "of": 200, "thinking": None}, id="no thinking, 46 %"),
        pytest.param(
            {"model": LLAMA, "benchmark": "humaneval", "correct": 50, "of": 160, "form": "completion"},
            id="raw completions are another test",
        ),
        pytest.param({"correct": 124, "of": 200, "bits_per_weight": 2.7}, id="20 points below at 2.7 bits"),
        pytest.param({"model": f"{GEMMA}-Q2_K.gguf", "correct": 124, "of": 200}, id="20 points below, by its name Q2"),
        pytest.param(
            {"model": "Qwen2.5-14B-Instruct", "benchmark": "humaneval", "correct": 106, "of": 160, "thinking": False},
            id="17 points below one source, 6 below the other",
        ),
    ],
)
def test_what_may_be_is_no_alarm(clean: Any) -> None:
    assert list(implausible(scene(**clean))) == []


@pytest.mark.parametrize(
    ("odd", "word"),
    [
        pytest.param({"correct": 124, "of": 200, "bits_per_weight": 4.5}, "low", id="20 points below at 4.5 bits"),
        pytest.param({"correct": 60, "of": 200, "bits_per_weight": 2.7}, "low", id="53 points below at 2.7 bits"),
        pytest.param({"correct": 100, "of": 200, "thinking": None, "thoughts": "Hm."}, "low", id="replies show it"),
        pytest.param({"model": LLAMA, "correct": 140, "of": 200, "thinking": False}, "high", id="far too good"),
        pytest.param({"correct": 60, "of": 100, "repeats": 3}, "low", id="several answers a question"),
        pytest.param({"model": "mine", "model_path": f"/x/{GEMMA}.gguf", "correct": 9, "of": 50}, "low", id="by path"),
        pytest.param({"model": "mine", "model_id": GEMMA, "correct": 9, "of": 50}, "low", id="by the server's name"),
    ],
)
def test_what_cannot_be_is_named(odd: Any, word: str) -> None:
    (found,) = implausible(scene(**odd))

    assert f"a score this {word} would come with probability" in found.message
    assert 0 <= found.evidence["probability"] < 0.01


@given(st.integers(1, 500), st.floats(0, 1))
def test_whatever_lies_within_the_interval_is_plausible(total: int, share: float) -> None:
    correct = round(share * total)
    within = wilson(correct, total, 0.99)

    found = implausible_counts(GEMMA, "mmlu_pro", correct, total)

    if within.low <= 0.826 <= within.high or abs(correct / total - 0.826) <= 0.1:
        assert found is None
    assert found is None or found.probability <= 0.005
    assert found is not None or total < 10 or within.high > 0.7


def test_every_score_of_the_table_is_reachable_and_plausible() -> None:
    """A pattern that another one hides, or a family that calls itself implausible, would be a slip of the table."""
    for family in published().families:
        for one in family.scores:
            found = implausible_counts(family.family, one.benchmark, round(one.score * 10), 1000)
            assert found is None, family.family
    named = {family.family: family_of([family.family]) for family in published().families if family.scores}
    hidden = [name for name, found in named.items() if found is not None and found.family != name]
    assert hidden == []


TABLE = """\
sources:
  card: {title: A card, url: https://example.org/card, read: 2026-11-22}
families:
  - family: Tiny
    pattern: tiny
    scores:
      - {benchmark: mmlu_pro, score: 12.5, thinking: false, source: card}
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        pytest.param(
            "12.5", "125", "t:7: families[0].scores[0].score: expected a number <= 100.0, not 125", id="share"
        ),
        pytest.param("source: card", "source: cart", 't:7: families[0].scores[0].source: "cart" is none', id="source"),
        pytest.param("pattern: tiny", "pattern: 't(iny'", "t:5: families[0].pattern: is no regular exp", id="pattern"),
        pytest.param("pattern: tiny", "pattern: Tiny", "t:5: families[0].pattern: is searched for in lower", id="case"),
        pytest.param(
            "mmlu_pro",
            "mmlu",
            't:7: families[0].scores[0].benchmark: "mmlu" is not known here: did you mean mmlu_pro?',
            id="benchmark",
        ),
        pytest.param(
            "thinking: false, ", "", "t:7: families[0].scores[0].thinking: missing: it must be given", id="how"
        ),
        pytest.param(
            "pattern: tiny", "patern: tiny", "t:5: families[0].patern: unknown key: did you mean pattern?", id="slip"
        ),
        pytest.param("2026-11-22", "lately", "t:1: sources.read: invalid RFC3339", id="date"),
        pytest.param(
            "families:",
            "  other: {title: B, url: 'http://b', read: 2026-11-22}\nfamilies:",
            "no score comes",
            id="idle",
        ),
        pytest.param("sources:", "sources: [", "t:", id="no YAML"),
    ],
)
def test_a_mistake_in_the_table_is_one_sentence(old: str, new: str, sentence: str) -> None:
    with pytest.raises(StudyError) as caught:
        read_published(TABLE.replace(old, new, 1), "t")

    said = str(caught.value)
    assert sentence in said
    assert "\n" not in said


def counted(text: str, folder: Path | None = None) -> tuple[Any, str]:
    shown, program = Console(file=StringIO(), width=80), Console(file=StringIO())
    options: Any = {"baseline": None, "margins": {}, "alpha": None}
    compare_counts(text, as_json=True, write_to=folder, console=program, **options)
    compare_counts(text, as_json=False, write_to=None, console=shown, **options)
    assert isinstance(shown.file, StringIO)
    assert isinstance(program.file, StringIO)
    return json.loads(program.file.getvalue()), " ".join(shown.file.getvalue().split())


def test_counts_with_a_model_name_the_implausible_in_every_form(tmp_path: Path) -> None:
    text = "model: gemma-4-26b-a4b\nmmlu_pro: {4bit: 28/50, 6bit: 41/50}\n"

    report, shown = counted(text, tmp_path)

    (found,) = report["implausible"]
    assert (found["variant"], found["benchmark"], found["published"]) == ("4bit", "mmlu_pro", 0.826)
    assert found["probability"] == pytest.approx(1e-5, rel=0.3)
    assert found["url"] == "https://huggingface.co/google/gemma-4-26B-A4B-it"
    for form in (shown, (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()):
        plain = form.replace("\\", "")
        assert "Read this before you believe a number" in plain
        assert "harness suspect: 56.0 % of 50 questions, where 82.6 % is published for Gemma 4 26B-A4B" in plain
        assert "with probability 1e-5" in plain


@pytest.mark.parametrize(
    "models",
    [
        pytest.param("", id="no model"),
        pytest.param("model: my-own\n", id="unknown model"),
        pytest.param("models: {b: gemma-4-26b-a4b}\n", id="the model of the other"),
        pytest.param("model: gemma-4-26b-a4b\nmodels: {a: my-own}\n", id="all but this one"),
    ],
)
def test_counts_of_unknown_models_raise_no_alarm(models: str) -> None:
    report, shown = counted(f"{models}mmlu_pro: {{a: 26/50, b: 41/50}}\n")

    assert report["implausible"] == []
    assert "Read this before" not in shown


def test_a_model_for_no_variant_is_refused() -> None:
    with pytest.raises(StudyError, match=r":1: models.c: no count is given for it: name one of a, b"):
        counted("models: {c: gemma-4-26b-a4b}\nmmlu_pro: {a: 26/50, b: 41/50}\n")


def test_the_study_that_began_this_is_called_suspect() -> None:
    """The report in the repository names all three MMLU-Pro scores, and no HumanEval score: none is published."""
    report = json.loads((SEED / "report.json").read_text())

    assert yaml.safe_load((SEED / "counts.yaml").read_text())["model"] == "gemma-4-26b-a4b"
    assert [(one["variant"], one["benchmark"]) for one in report["implausible"]] == [
        ("4bit", "mmlu_pro"),
        ("6bit", "mmlu_pro"),
        ("qat-8bit", "mmlu_pro"),
    ]


@pytest.mark.usefixtures("hasty")
def test_a_run_names_what_cannot_be_and_only_that(bench: Bench) -> None:
    study = bench.study(30, good=right, bad=wrong)
    text = study.read_text()
    study.write_text(text.replace("name: bad, model: fake", f'name: bad, model: "{LLAMA}"'))

    bench.run(study)

    (found,) = [check for check in bench.report()["checks"] if check["code"] == "implausible"]
    assert (found["variant"], found["severity"]) == ("bad", "warn")
    assert "0.0 % of 30 questions, where 44 % is published for Llama 3.1 8B" in found["message"]
    assert found["advice"]
