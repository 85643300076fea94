"""The command line: parses and calls, nothing else. One file a command."""

from __future__ import annotations

import os
import sys

import typer

from bench import __version__
from bench.cli import calibrate, data, doctor, instruments, list_, report, reproduce, run, score, train, weights
from bench.core.errors import UnmaskError

app = typer.Typer(
    name="unmask",
    help="How well does a face anonymizer protect people, and what does it cost in usefulness?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("score")(score.score)
app.command("report")(report.report)
app.command("calibrate")(calibrate.calibrate)
app.command("list")(list_.list_)
app.add_typer(data.app, name="data", help="Data sets: list, show, fetch, verify.")
app.add_typer(instruments.app, name="instruments", help="Measuring networks: list, fetch, verify.")
app.add_typer(weights.app, name="weights", help="Checkpoints: what a file is and whether it fits.")
app.add_typer(reproduce.app, name="reproduce", help="Published evaluations, run again.")
app.command("train")(train.train)
app.command("doctor")(doctor.doctor)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"unmask {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def main() -> None:
    """Runs the command; errors that users can cause end in one line and an exit code."""
    # Read when a numeric library is first loaded: waiting threads that spin make a busy machine many times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        app()
    except UnmaskError as error:
        print(f"unmask: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("unmask: interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone (``unmask list | head``); Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
