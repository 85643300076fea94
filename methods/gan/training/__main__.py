"""`unmask train` for a machine that has torch, torchvision, numpy and safetensors, and nothing else of ours."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from unmask.bench.core.errors import UnmaskError
from unmask.bench.core.training import TrainingInputs, stop_time
from unmask.methods.gan.training.jobs import KINDS, open_training


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line; see ``--help``."""
    parser = argparse.ArgumentParser("python -m unmask.methods.gan.training", description=__doc__)
    parser.add_argument("network", choices=list(KINDS))
    parser.add_argument("config", help="a TOML file, or the name of one that comes with unmask")
    add = parser.add_argument
    add("--data", type=Path, action="append", required=True, help="a pack (unmask data pack), or parts of one")
    add("--held-out", type=Path, action="append", default=[], help="faces for samples and checks only")
    add("--out", type=Path, required=True, help="folder to train in; resumes")
    add("--device", default="cuda", help="cuda, cuda:1, cpu")
    add("--workers", type=int, help="threads of the arithmetic on a CPU")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="changes a setting")
    add("--stop-at", metavar="TIME", help="save and stop then: +9m, 17:30, 2026-01-31T17:30")
    add("--compile", action=argparse.BooleanOptionalAction, help="compile the steps (default: on a GPU)")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Trains; the exit code is 0 also where ``--stop-at`` came before the end."""
    options = parsed(arguments)
    try:
        moment = None if options.stop_at is None else stop_time(options.stop_at, datetime.now().astimezone())
        inputs = TrainingInputs(
            tuple(options.data),
            tuple(options.held_out),
            options.out,
            options.device,
            options.workers,
            stop_at=moment,
            compiles=options.compile,
        )
        job = open_training(options.network, options.config, options.set)
        path = job.run(inputs, lambda line: print(line, flush=True))
    except UnmaskError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        return 130
    if path is not None:
        print(f"trained: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
