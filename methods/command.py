"""Any program as a method: a folder of pictures in, a folder of pictures out."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Annotated, Any, ClassVar, Final, Literal

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.errors import DataError, SpecError, counted
from unmask.bench.core.files import refusal
from unmask.bench.core.images import IMAGE_EXTENSIONS, encode_png
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.core.video import CLIP_EXTENSIONS
from unmask.methods.outputs import read_output
from unmask.methods.shared import command_line, programs
from unmask.methods.shared.named_files import NamedFiles
from unmask.methods.shared.settings import Within, check_parameters

_VARIABLE: Final = re.compile(r"[A-Za-z_]\w*")
_PASSED_ON: Final = (
    *("PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY"),
    "UNMASK_CONTESTANT",  # by which a run finds what it has started
)
_SEEDS: Final = 2**31
"""Many programs take no larger ones."""
_SPARE_OUTPUTS: Final = 100
"""Files that a program may write besides four for each picture."""
_OUTPUT_BYTES: Final = 256 * programs.MIB
"""No output of a photo is larger."""


@dataclass(kw_only=True, eq=False, repr=False)
class Command:
    """Runs a program once for a batch of pictures, apart from everything else, and reads what it writes.

    Parameters: ``run``, the command, in which ``{input}`` and ``{output}`` stand for folders and ``{seed}``,
    ``{device}`` and ``{boxes}`` for what they say; ``version`` of the program, for whoever reads results; ``batch``,
    pictures a call; ``boxes``, whether it is told the harness's faces (``{boxes}``: a JSON file); ``env``, names of
    environment variables that it is given, separated by blanks; ``frames``, whether it gets clips as pictures, else as
    files; ``network``: ``auto`` = none where the system can do that, ``none`` = refuse to run where it cannot,
    ``open``; ``memory`` and ``disk`` in MiB and ``processes``, what a call may take; ``prefix`` and ``suffix``, what it
    adds to names.

    Pictures are lossless PNGs of what methods of ours get: upright, in sRGB, without metadata, called by hexadecimal
    digits. No shell reads the command.
    """

    draws_by_sample: ClassVar[bool] = False
    """A program cannot be told by whom it should draw."""

    run: str
    version: str = ""
    batch: Annotated[int, Within(1, 4096)] = 16
    boxes: bool = False
    env: str = ""
    frames: bool = True
    network: Literal["auto", "none", "open"] = "auto"
    memory: Annotated[int, Within(1)] = 8192
    processes: Annotated[int, Within(1)] = 64
    disk: Annotated[int, Within(1)] = 2048
    prefix: str = ""
    suffix: str = ""

    def __post_init__(self) -> None:
        """Raises `SpecError` for a value that a parameter does not take, and for a program that is not there."""
        if os.name != "posix":
            raise SpecError("command: programs can be run on Linux and macOS only")
        self.run, self.version, self.env, self.prefix, self.suffix = (
            str(text) for text in (self.run, self.version, self.env, self.prefix, self.suffix)
        )
        check_parameters(self, "command")
        self._words = command_line.words_of(self.run)
        if self.boxes and not self.frames:
            raise SpecError("command: boxes=true needs frames; leave frames=false out")
        if command_line.has_placeholder(self._words, "boxes") != self.boxes:
            raise SpecError("command: {boxes} in the command and boxes=true go together; write both or neither")
        if wrong := next((name for name in self.env.split() if not _VARIABLE.fullmatch(name)), ""):
            raise SpecError(f'command: env={wrong} is no name of a variable; write env="NAME OTHER", without values')
        if self.network == "none" and not programs.offline():
            raise SpecError("command: this system cannot cut a program off from the network; leave network=none out")
        self._device = "cpu"
        self.memory_mib = 0.0
        """The most memory that the program was seen to take."""

    @classmethod
    def located(cls, params: Mapping[str, Scalar]) -> dict[str, str]:
        """What plans leave out: the command with absolute paths; and that it must have no network where the card is
        about to say so, since a program may be started on another system than a run was planned on."""
        cut_off = params.get("network") != "open" and bool(programs.offline())
        run = shlex.join(command_line.words_of(str(params["run"])))
        return {"run": run, **({"network": "none"} if cut_off else {})}

    @classmethod
    def named_files(cls, params: Mapping[str, Scalar]) -> dict[str, Path]:
        """The files that decide what it does, as far as the command names them."""
        return command_line.files_of(command_line.words_of(str(params["run"])))

    @property
    def card(self) -> MethodCard:
        values: dict[str, Scalar] = {each.name: getattr(self, each.name) for each in fields(self)}
        cut_off = bool(self._offline)
        network = "It had no network." if cut_off else "It was not kept from the network."
        return MethodCard(
            name="command",
            version="1",
            description="Somebody else's program, run on a folder of pictures.",
            licence="as the program",
            source="the command given",
            params={
                **values,
                "run": command_line.shown(self.run, self._words),
                "network_cut_off": cut_off,
            },
            detector="harness" if self.boxes else "none",
            batch_size=self.batch,
            limits="Whether it gives the same picture for a seed is not known, nor whether a picture depends on the "
            "others of its call. Its time includes its start, shared by the pictures of a call; its memory is sampled "
            "while it runs. The plan knows the content of the program's file and of the files that its command names, "
            "not of what else it reads: where that changes, raise version=. It gets PNGs, whatever the photos were. "
            f"{network} It has the user's rights on all other files: this keeps accidents apart, not attacks."
            + (" It is told the judge's own boxes: it cannot miss a face that the judge sees." if self.boxes else ""),
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Keeps the name of the device; the program is started with every batch."""
        self._device = device

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        """What the program writes, or why there is none. Raises `DataError` where the call as a whole came to nothing
        and had several pictures: each is worth a try alone."""
        if not batch:
            return []
        names = _names(batch)
        with TemporaryDirectory(prefix="unmask-program-", ignore_cleanup_errors=True) as scratch:
            folder = _folders(scratch)
            for name, sample in zip(names, batch, strict=True):
                (folder / "input" / name).write_bytes(encode_png(sample.image))
            failure = self._call(folder, dict(zip(names, batch, strict=True)), seed)
            if not failure:
                return self._outputs(folder / "output", names)
        if len(batch) > 1:
            raise DataError(failure)
        return [MethodFailure(failure)]

    def anonymize_clip(self, path: Path, *, seed: int) -> Path | MethodFailure:
        """The clip that the program makes of a clip, among temporary files, or why there is none."""
        with TemporaryDirectory(prefix="unmask-program-", ignore_cleanup_errors=True) as scratch:
            folder = _folders(scratch)
            shutil.copyfile(path, folder / "input" / path.name)
            if failure := self._call(folder, {}, seed):
                return MethodFailure(failure)
            place = self._places(folder / "output", [path.name], CLIP_EXTENSIONS, "clip")[0]
            if isinstance(place, MethodFailure):
                return place
            if reason := refusal(folder / "output", folder / "output" / place):
                return MethodFailure(f"output cannot be read: {reason}")
            target = Path(mkdtemp(prefix="unmask-made-")) / f"made{Path(place).suffix.lower()}"
            shutil.move(folder / "output" / place, target)
            return target

    @cached_property
    def _offline(self) -> Sequence[str]:
        return () if self.network == "open" else programs.offline()

    def _call(self, folder: Path, samples: Mapping[str, Sample], seed: int) -> str:
        """Runs the program; why what it wrote does not count, '' = it does."""
        values = {
            "input": str(folder / "input"),
            "output": str(folder / "output"),
            "seed": str(seed % _SEEDS),
            "device": self._device,
        }
        if self.boxes:
            manifest = folder / "boxes.json"
            manifest.write_text(json.dumps(_manifest(samples), indent=1), "utf-8")
            values["boxes"] = str(manifest)
        passed_on = {name: os.environ[name] for name in (*_PASSED_ON, *self.env.split()) if name in os.environ}
        own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "LANG": "C.UTF-8"}
        limits = programs.Limits(self.memory, self.processes, self.disk, 4 * len(samples) + _SPARE_OUTPUTS)
        words = [*self._offline, *command_line.filled(self._words, values)]
        ended = programs.run_program(words, folder, folder / "output", {**own, **passed_on}, limits)
        self.memory_mib = max(self.memory_mib, ended.memory)
        printed = ended.printed.decode("utf-8", "replace").replace(str(folder), "scratch").strip()
        if printed:
            print(printed, flush=True)
        return ended.failure

    def _outputs(self, folder: Path, names: Sequence[str]) -> list[Image | MethodFailure]:
        return [_read(folder, place) for place in self._places(folder, names, IMAGE_EXTENSIONS, "image")]

    def _places(
        self, folder: Path, names: Sequence[str], extensions: frozenset[str], kind: str
    ) -> list[str | MethodFailure]:
        """The file in the output folder that answers each input, or why there is none."""
        if folder.is_symlink() or not folder.is_dir():
            return [MethodFailure("the program removed its output folder")] * len(names)
        try:
            files = NamedFiles(folder, extensions, kind, self.prefix, self.suffix)
        except SpecError:
            return [MethodFailure("the program's output folder cannot be listed")] * len(names)
        files.expect(tuple(names))
        places = [files.place(name) for name in names]
        used = {place for place in places if isinstance(place, str)}
        if extra := sum(len(entries) for _, _, entries in os.walk(folder)) - len(used):
            print(f"{counted(extra, 'file')} in the output folder answered no input", flush=True)
        return [
            MethodFailure("its output file is hidden")
            if isinstance(place, MethodFailure) and (folder / f".{name}").exists()
            else place
            for name, place in zip(names, places, strict=True)
        ]


def _folders(scratch: str) -> Path:
    """The folders of a call."""
    folder = Path(scratch).resolve()
    for name in ("input", "output", "work", "home", "tmp"):
        (folder / name).mkdir()
    return folder


def _read(folder: Path, place: str | MethodFailure) -> Image | MethodFailure:
    if isinstance(place, MethodFailure):
        return place
    if reason := refusal(folder, folder / place, _OUTPUT_BYTES):
        return MethodFailure(f"output cannot be read: {reason}")
    return read_output(folder / place)


def _names(batch: Sequence[Sample]) -> list[str]:
    """A file name for each sample, made of its id, that says nothing else; frames in their order."""
    names: dict[str, None] = {}
    for sample in batch:
        clip, _, frame = sample.id.rpartition("#")
        number = f"-{frame}" if clip and re.fullmatch(r"\d{1,9}", frame) else ""
        stem = hashlib.sha256((clip if number else sample.id).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        copies = (f"{stem}{number}{f'-copy{k}' if k else ''}.png" for k in range(len(batch)))
        names[next(name for name in copies if name not in names)] = None
    return list(names)


def _manifest(samples: Mapping[str, Sample]) -> dict[str, Any]:
    """What ``{boxes}`` says: file name -> size and faces in pixels, a box as left, top, width, height, its landmarks as
    five points (x, y)."""
    return {
        name: {
            "height": sample.image.shape[0],
            "width": sample.image.shape[1],
            "faces": [
                {"box": [box.x, box.y, box.w, box.h], "landmarks": [] if points is None else points.tolist()}
                for box, points in zip_longest(sample.boxes or (), sample.landmarks)
            ],
        }
        for name, sample in samples.items()
    }
