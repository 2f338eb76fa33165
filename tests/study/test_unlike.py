"""What is given in place of a study is called by its name, and what is misspelled in one gets a suggestion."""

import re
from pathlib import Path

import pytest

from evaluator.errors import StudyError
from evaluator.study.file import load_study, parse
from tests.support.model_files import gguf_bytes, mlx_folder

STUDY = """\
study: {study}
baseline: {name}
variants:
  - {{name: {name}, {variant}}}
benchmarks: {{mmlu_pro: {{questions: 5, shots: 0}}}}
"""


def text_of(variant: str = "runtime: llama_server, model: m.gguf", *, study: str = "s", name: str = "a") -> str:
    return STUDY.format(study=study, name=name, variant=variant)


def lay(folder: Path) -> None:
    (folder / "m.gguf").write_bytes(gguf_bytes())
    (folder / "model").write_bytes(gguf_bytes())
    mlx_folder(folder / "mlx", ["model.safetensors"])
    for name in ("ggufs", "run", "studies", "empty", "both"):
        (folder / name).mkdir()
    (folder / "ggufs" / "x.gguf").write_bytes(gguf_bytes())
    (folder / "both" / "x.gguf").write_bytes(gguf_bytes())
    for name in ("both/model.safetensors", "both/config.json", "w.safetensors", "a.jsonl", "report.md", "w.bin"):
        (folder / name).write_text("{}")
    (folder / "run" / "plan.json").touch()
    (folder / "run" / "study.yaml").touch()
    (folder / "studies" / "s.yaml").touch()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param("m.gguf", "that is a model, not a study: write a study file that names it", id="gguf"),
        pytest.param("model", "that is a model, not a study", id="gguf-without-an-ending"),
        pytest.param("w.safetensors", "that is a model, not a study", id="safetensors"),
        pytest.param("w.bin", "that is a model, not a study", id="bin"),
        pytest.param("mlx", "that is a model, not a study", id="mlx-folder"),
        pytest.param("ggufs", "that is a model, not a study", id="folder-of-ggufs"),
        pytest.param("hf:org/repo", "that is a model, not a study", id="hub"),
        pytest.param("http://127.0.0.1:8080/v1", "that is an address, not a study: for a server that", id="address"),
        pytest.param("run", "that is a run, not a study: to write its report again: whichquant report", id="run"),
        pytest.param("studies", "that is a folder, not a study: give a file in it: ", id="folder-of-studies"),
        pytest.param("empty", "that is a folder, not a study: give a study file", id="empty-folder"),
        pytest.param("a.jsonl", "those are answers or records, not a study", id="answers"),
        pytest.param("report.md", "that is a part of a run, not a study", id="report"),
        pytest.param("none.yaml", "cannot be read (No such file or directory)", id="nothing"),
    ],
)
def test_what_is_no_study_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    lay(tmp_path)
    with pytest.raises(StudyError, match=re.escape(words)) as caught:
        load_study(given)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "runtime"),
    [
        pytest.param("m.gguf", "llama_server", id="gguf"),
        pytest.param("M.GGUF", "llama_server", id="in-capitals"),
        pytest.param("hf:org/repo/x-Q4_K_M.gguf", "llama_server", id="gguf-of-the-hub"),
        pytest.param("ggufs", "llama_server", id="folder-of-ggufs"),
        pytest.param("mlx", "mlx_lm", id="mlx-folder"),
        pytest.param("./mlx", "mlx_lm", id="from-the-studys-folder"),
        pytest.param("both", None, id="both-in-one-folder"),
        pytest.param("empty", None, id="empty-folder"),
        pytest.param("org/repo", None, id="a-name"),
        pytest.param("hf:org/repo", None, id="a-repo"),
        pytest.param("w.safetensors", None, id="one-file-of-weights"),
    ],
)
def test_the_runtime_goes_without_saying_where_the_model_leaves_no_doubt(
    tmp_path: Path, model: str, runtime: str | None
) -> None:
    lay(tmp_path)
    (tmp_path / "s.yaml").write_text(text_of(f'model: "{model}"'))
    if runtime is not None:
        assert load_study(tmp_path / "s.yaml").study.variants[0].runtime == runtime
    else:
        with pytest.raises(StudyError, match=re.escape("s.yaml:4: variants[0].runtime: missing: name a runtime")):
            load_study(tmp_path / "s.yaml")


def test_a_running_servers_runtime_is_not_guessed() -> None:
    assert parse(text_of("base_url: http://h/v1, model: m.gguf"), "s").variants[0].runtime is None


@pytest.mark.parametrize(
    ("runtime", "meant"),
    [
        *[(name, "llama_server") for name in ("llama-server", "llama.cpp", "llamacpp", "Llama_Server", "gguf")],
        *[(name, "mlx_lm") for name in ("mlx", "mlx-lm", "MLX", "mlx_lm.server", "mlxlm")],
        *[("ollama ", "ollama"), ("Ollama", "ollama"), ("olama", "ollama")],
        *[("LM Studio", "lm_studio"), ("lmstudio", "lm_studio"), ("lm-studio", "lm_studio"), ("lms", "lm_studio")],
        *[("vLLM", "vllm"), ("OpenAI", "openai"), ("openai-compatible", "openai"), ("oMLX", "omlx")],
    ],
)
def test_a_runtime_by_another_name_gets_a_suggestion(runtime: str, meant: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse(text_of(f'runtime: "{runtime}", model: m.gguf'), "s")

    assert str(caught.value) == f's:4: variants[0].runtime: "{runtime}" is not known here: did you mean {meant}?'


@pytest.mark.parametrize("runtime", ["exo", "tgi", "", "?"])
def test_what_resembles_none_gets_the_list(runtime: str) -> None:
    with pytest.raises(StudyError, match="is not known here: write llama_server or lm_studio or mlx_lm"):
        parse(text_of(f'runtime: "{runtime}", model: m.gguf'), "s")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("My Study!", ": My-Study"),
        ("q4/q8", ": q4-q8"),
        ("../up", ": up"),
        (".hidden", ": hidden"),
        ("Größe 4", ": Groe-4"),
        ("naïve", ": naive"),
        ("a:b", ": a-b"),
        ("q4_k_m (new)", ": q4_k_m-new"),
        ("模型", ", the first a letter or digit"),
        ("", ", the first a letter or digit"),
        ("???", ", the first a letter or digit"),
    ],
)
@pytest.mark.parametrize("where", ["study", "name"])
def test_a_name_that_does_not_fit_gets_one_that_does(name: str, words: str, where: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse(text_of(**{where: f'"{name}"'}), "s")
    said = str(caught.value)

    assert said.endswith(f": {name!r} does not fit: letters, digits, . _ + - only{words}")
    if words.startswith(": "):
        assert parse(text_of(**{where: words[2:]}), "s")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("study: s\nvariants:\n\t- {name: a}\n", 3, id="before-a-list"),
        pytest.param("study: s\nbenchmarks:\n\tmmlu_pro: {}\n", 3, id="before-a-key"),
        pytest.param("study: s\nvariants:\n  - name: a\n\t  model: x\n", 4, id="tab-and-blanks"),
        pytest.param("study: s\nvariants:\n  - name: a\n  \tmodel: x\n", 4, id="blanks-and-tab"),
        pytest.param("\tstudy: s\n", 1, id="at-the-top"),
    ],
)
def test_a_tab_is_said_with_its_line(text: str, line: int) -> None:
    with pytest.raises(StudyError) as caught:
        parse(text, "s.yaml")

    assert str(caught.value) == f"s.yaml:{line}: indented with a tab: indent with spaces"


def test_a_tab_elsewhere_is_no_mistake() -> None:
    assert parse(text_of() + 'note: "a\tb"\n', "s").note == "a\tb"


def test_a_tab_behind_a_key_is_said_too() -> None:
    with pytest.raises(StudyError, match=r"^s:1: a tab that YAML does not take: put spaces$"):
        parse(text_of().replace("study: s", "study:\ts"), "s")


def test_only_a_running_server_may_be_asked_for_its_own_model() -> None:
    assert parse(text_of("base_url: http://h/v1"), "s").variants[0].model == ""
    with pytest.raises(StudyError, match=re.escape("s:4: variants[0].model: missing: it must be given")):
        parse(text_of("runtime: llama_server"), "s")
