"""Logits from a process of its own: what it gives, and each way in which it may fail, in one sentence."""

import sys
from pathlib import Path

import numpy as np
import pytest

from evaluator.fidelity.rows import open_rows
from evaluator.fidelity.windows import Windows
from servers.errors import ModelError

WINDOWS = Windows(np.arange(12, dtype=np.int32).reshape(2, 6), 3)  # two rows in each
MODEL = Path("model.gguf")
HEAD = 'print(\'{"vocabulary": 5, "rows": 4, "program": "some 1.0"}\', flush=True)'


def command(body: str) -> list[str]:
    return [sys.executable, "-c", f"import os, signal, sys\nimport numpy as np\n{body}"]


def test_rows_come_in_order() -> None:
    body = f"{HEAD}\nsys.stdout.buffer.write(np.arange(20, dtype=np.float32).tobytes())"
    with open_rows(command(body), WINDOWS, MODEL) as rows:
        found = np.concatenate([piece.copy() for piece in rows.pieces])

    assert rows.head.program == "some 1.0"
    assert found.tolist() == np.arange(20.0).reshape(4, 5).tolist()


def test_the_process_is_given_the_windows() -> None:
    body = f"{HEAD}\nids = np.load(sys.argv[2])\nassert sys.argv[1::2] == ['--windows', '--first']\n"
    body += "sys.stdout.buffer.write(np.resize(ids.astype(np.float32), 20).tobytes())"
    with open_rows(command(body), WINDOWS, MODEL) as rows:
        assert next(rows.pieces)[0].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param('print(\'{"error": "it has no weights"}\'); sys.exit(2)', "^it has no weights$", id="says-why"),
        pytest.param("sys.exit(3)", "ended with code 3 and no words", id="silent"),
        pytest.param("print('noise')", "could not be evaluated", id="no-json"),
        pytest.param("raise RuntimeError('a bug')", "RuntimeError: a bug", id="traceback"),
        pytest.param("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV", id="crash"),
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", "too little memory", id="killed"),
        pytest.param(HEAD.replace("4", "3"), "gave 3 rows for 4 scored tokens", id="other-rows"),
        pytest.param(f"{HEAD}\nsys.stdout.buffer.write(bytes(30))", "could not be evaluated", id="ends-within-a-row"),
        pytest.param(f"{HEAD}\nos.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV", id="crash-before-rows"),
    ],
)
def test_a_failure_is_one_sentence(body: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught, open_rows(command(body), WINDOWS, MODEL) as rows:
        list(rows.pieces)

    assert "\n" not in str(caught.value)


def test_a_process_whose_rows_nobody_wants_is_ended() -> None:
    body = f"{HEAD}\nwhile True: sys.stdout.buffer.write(bytes(4))"
    with open_rows(command(body), WINDOWS, MODEL) as rows:
        next(rows.pieces)


def test_logits_behind_those_that_are_compared_are_left_out() -> None:
    body = f"{HEAD}\nsys.stdout.buffer.write(np.arange(20, dtype=np.float32).tobytes())"
    with open_rows(command(body), WINDOWS, MODEL, vocabulary=3) as rows:
        found = np.concatenate([piece.copy() for piece in rows.pieces])

    assert rows.head.vocabulary == 3
    assert found.tolist() == np.arange(20.0).reshape(4, 5)[:, :3].tolist()


def test_a_row_shorter_than_what_is_compared_is_refused() -> None:
    with (
        pytest.raises(ModelError, match="gave 5 logits for a token, and 6"),
        open_rows(command(HEAD), WINDOWS, MODEL, vocabulary=6),
    ):
        pass
