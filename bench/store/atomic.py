"""Publishing folders and JSON so that a killed run never leaves half of one: temp, then rename."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import TEMP_PREFIX, make_private_folder, replacing_file, temp_prefix


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turns errors of the machine (full disk, file where a folder belongs) into a `StoreError` that names ``path``."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StoreError(f"{path} cannot be written ({reason})") from error


@contextmanager
def replacing_folder(path: Path, *, private: bool = True) -> Iterator[Path]:
    """Yields a temp folder beside ``path``; takes its place on success, is removed otherwise.

    ``private``: only the owner may read it, what is in it, and the folders that are made for it.
    """
    with naming(path):
        if private:
            make_private_folder(path.parent)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
        temp = Path(tempfile.mkdtemp(prefix=temp_prefix(), dir=path.parent))
        temp.chmod(0o700 if private else 0o755)
    try:
        yield temp
        with naming(path):
            for item in temp.rglob("*") if private else ():
                item.chmod(0o700 if item.is_dir() else 0o600)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            temp.rename(path)
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def write_json(path: Path, value: Any, *, private: bool = True) -> None:
    """Writes indented JSON with a final newline; equal values give equal bytes. ``private``: for the owner alone."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with naming(path), replacing_file(path, private=private) as temp:
        # Names of samples can hold lone surrogates (undecodable file names); they must survive as escapes.
        temp.write_bytes(text.encode("utf-8", errors="backslashreplace"))


def sweep_temporaries(root: Path) -> None:
    """Removes what killed writers left behind below ``root``; another process may be at work there."""
    for left in list(root.rglob(f"{TEMP_PREFIX}*")):
        writer = left.name.removeprefix(TEMP_PREFIX).partition("-")[0]
        if writer.isdecimal() and int(writer) != os.getpid() and _is_running(int(writer)):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        return psutil.Process(process).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # somebody else's
        return True
