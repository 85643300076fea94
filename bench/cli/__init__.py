"""The command line: parses and calls, nothing else. One file a command."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, Final

import typer

from unmask import __version__
from unmask.bench.cli import (
    calibrate,
    check,
    data,
    doctor,
    gate,
    instruments,
    list_,
    recipe,
    report,
    reproduce,
    run,
    score,
    split,
    train,
    weights,
)
from unmask.bench.cli.options import CALIBRATION, MEASURED, RUN_CONFIG, TRAINING, WAY_OF_RUNNING, settings_command
from unmask.bench.core.errors import UnmaskError

INTERRUPTED: Final = 130
_MACHINE: Final = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE),
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
)
"""A full disk, a folder that may not be written to: the machine's errors. Others are bugs and keep their traceback."""

app = typer.Typer(
    name="unmask",
    help="How well does a face anonymizer protect people, and what does it cost in usefulness?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
settings_command(app, "run", RUN_CONFIG, WAY_OF_RUNNING)(run.run)
settings_command(
    app,
    "video",
    RUN_CONFIG,
    WAY_OF_RUNNING,
    defaults="unmask.bench.run.planning.config:CLIP_DEFAULTS",
    doc=run.VIDEO_HELP,
)(run.run)
settings_command(app, "score", MEASURED, WAY_OF_RUNNING, without=("out", "time_limit"))(score.score)
app.command("report")(report.report)
app.command("purge")(report.purge)
settings_command(app, "calibrate", CALIBRATION, WAY_OF_RUNNING, without=("out", "time_limit"))(calibrate.calibrate)
app.command("gate")(gate.gate)
app.add_typer(gate.app, name="baseline", help="What gates compare with.")
app.command("check")(check.check)
app.command("new")(check.new)
app.command("list")(list_.list_)
app.add_typer(data.app, name="data", help="Data sets: list, show, fetch, verify.")
app.add_typer(instruments.app, name="instruments", help="Measuring networks: list, fetch, verify.")
app.add_typer(recipe.app, name="recipe", help="Other people's anonymizers: list, show, install.")
app.add_typer(weights.app, name="weights", help="Checkpoints: what a file is and whether it fits.")
app.add_typer(split.app, name="split", help="The photos of an audit, for anonymizers that cannot be run here.")
app.add_typer(reproduce.app, name="reproduce", help="Published evaluations, run again.")
settings_command(app, "train", TRAINING)(train.train)
app.command("doctor")(doctor.doctor)


def _version(flag: bool) -> None:
    if flag:
        typer.echo(f"unmask {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


_UsageError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What typer raises for a wrong command line. By name: the click that it is built on may be its own copy."""


def main() -> None:
    """Runs the command; errors that users can cause end in one line and an exit code."""
    # Read when a numeric library is first loaded: waiting threads that spin make a busy machine many times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        code = app(standalone_mode=False)
    except UnmaskError as error:
        _complain(str(error))
        code = error.exit_code
    except _UsageError as error:
        code = _explain(error)
    except BrokenPipeError:
        # Whoever read our output has gone (``unmask list | head``); Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except ImportError as error:
        # OpenCV's wheel leaves libGL and GLib to the system; containers often have neither.
        if "cannot open shared object file" not in str(error):
            raise
        _complain(f"{error}; on Debian: apt-get install libgl1 libglib2.0-0")
        code = 1
    except OSError as error:
        if error.errno not in _MACHINE:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        _complain(f"{where}{error.strerror}")
        code = 1
    if code == INTERRUPTED:  # typer's answer to Ctrl-C
        _complain("interrupted; the same command goes on from here")
    sys.exit(code)


def _complain(message: str) -> None:
    print(f"unmask: {' '.join(message.split())}", file=sys.stderr)


def _explain(error: Any) -> int:
    """What is wrong with a command line, and where to read on."""
    text = str(error.format_message())
    if text:  # a command without arguments has shown its help already
        path = error.ctx.command_path if getattr(error, "ctx", None) is not None else "unmask"
        _complain(f"{text.rstrip('.')}; see {path} --help")
    return int(error.exit_code)
