"""The prompts of a file as an Inspect task; run by tests.bench.peers in the peers' environment."""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.scorer import pattern
from inspect_ai.solver import generate


@task  # type: ignore[untyped-decorator] # its environment is not this one
def prompts(path: str) -> Task:
    """Ask each prompt, and grade the letter."""
    dataset = json_dataset(path, lambda line: Sample(id=line["id"], input=line["prompt"], target=line["answer"]))
    return Task(dataset=dataset, solver=generate(), scorer=pattern(r"answer is \(?([A-J])\)?"))
