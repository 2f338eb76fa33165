"""What a check read of a server is kept where the run's own start of it says less."""

from pathlib import Path

import pytest

from evaluator.store.facts import keep_facts, read_facts
from servers.spec import ServerFacts

CHECKED = ("llama-server", "-m", "a.gguf", "--port", "1", "-np", "4", "-lv", "4")


def facts(*command: str, kv: str | None = None) -> ServerFacts:
    return ServerFacts(runtime="llama_server", engine="llama-server", command=command, kv_cache=kv)


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        pytest.param(("llama-server", "-m", "a.gguf", "--port", "2", "-np", "4"), "f16", id="the-same-but-for-the-log"),
        pytest.param(("llama-server", "-m", "a.gguf", "--port", "1", "-np", "4", "-ctk", "q8_0"), None, id="a-type"),
        pytest.param(("llama-server", "-m", "b.gguf", "--port", "1", "-np", "4"), None, id="another-model"),
        pytest.param((), None, id="not-started-here"),
    ],
)
def test_the_cache_s_type_as_the_check_read_it(tmp_path: Path, command: tuple[str, ...], kept: str | None) -> None:
    keep_facts(tmp_path, "a", facts(*CHECKED, kv="f16"), known=False)
    keep_facts(tmp_path, "a", facts(*command), known=False)

    assert read_facts(tmp_path)["a"].kv_cache == kept
