"""A running server's only model need not be named; of several one must be."""

import json
from pathlib import Path

import pytest

from servers.fake import FakeServer
from tests.support.scripted import STUDY, Bench, right


def study_at(bench: Bench, *addresses: str) -> Path:
    names = ["good", "other"]
    lines = [f'  - {{name: {name}, base_url: "{url}"}}' for name, url in zip(names, addresses, strict=False)]
    path = bench.folder / "study.yaml"
    path.write_text(STUDY.format(variants="\n".join(lines), n=4))
    return path


def test_the_only_model_of_a_server_is_taken(bench: Bench) -> None:
    with FakeServer(right, models=["one"]) as one, FakeServer(right, models=["two"]) as two:
        result = bench.run(study_at(bench, one.base_url, two.base_url))

        assert result.exit_code == 0, result.stderr
        assert {body["model"] for body in one.requests} == {"one"}
        assert {body["model"] for body in two.requests} == {"two"}
    plan = json.loads((bench.folder / "runs" / "s" / "plan.json").read_text())
    assert [variant["model"] for variant in plan["study"]["variants"]] == ["one", "two"]


def test_another_model_at_the_same_address_is_refused(bench: Bench) -> None:
    with FakeServer(right, models=["one"]) as one:
        study = study_at(bench, one.base_url)
        assert bench.run(study).exit_code == 0
        one.state.models = {"two": one.state.models.pop("one")}
        result = bench.run(study)

        assert result.exit_code == 2
        assert "one" in result.stderr
        assert "two" in result.stderr


@pytest.mark.parametrize("command", ["run", "check"])
def test_of_several_models_one_must_be_named(bench: Bench, command: str) -> None:
    with FakeServer(right, models=["one", "two"]) as server:
        result = bench.run(study_at(bench, server.base_url))

        assert result.exit_code == 2
        assert "study.yaml:4: variants[0].base_url: " in result.stderr
        assert "has several models, name one (eval: --model): one, two" in result.stderr
        assert not server.requests


def test_a_server_that_is_not_there_is_found_as_ever(bench: Bench) -> None:
    result = bench.run(study_at(bench, "http://127.0.0.1:9/v1"))

    assert result.exit_code == 3
    assert "Nothing answers at http://127.0.0.1:9/v1" in " ".join(result.output.split())
