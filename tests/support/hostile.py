"""Methods that misbehave in every way a plug-in was seen, or can be feared, to; and how a test installs one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from unmask.bench.core import registry

SOURCE = r'''
import os, signal, subprocess, sys, threading, time
import numpy as np
from unmask.bench.core.cards import MethodCard
from unmask.bench.core.seeds import sample_rng
from unmask.bench.core.types import MethodFailure


class Base:
    """Blackens the image; misbehaves on dark ones."""
    batch_size = 1
    def __init__(self):
        self.card = MethodCard(type(self).__name__.lower(), "1", "d", "MIT", "test", batch_size=self.batch_size)
    def load(self, files, device):
        pass
    def anonymize(self, batch, *, seed):
        if any(sample.image.mean() < 40 for sample in batch):
            self.misbehave(batch)
        return [np.zeros_like(sample.image) for sample in batch]


class Fragile(Base):
    """Dies on dark images, crashes on red ones."""
    batch_size = 3
    def misbehave(self, batch):
        os._exit(11)
    def anonymize(self, batch, *, seed):
        for sample in batch:
            if sample.image[..., 0].mean() > 2 * sample.image[..., 1].mean():
                raise RuntimeError("no red,\nplease")
        return super().anonymize(batch, seed=seed)


class Leaky(Base):
    """Survives any two images, but not a third one."""
    seen = 0
    def anonymize(self, batch, *, seed):
        self.seen += len(batch)
        if self.seen > 2:
            os._exit(11)
        return [np.zeros_like(sample.image) for sample in batch]


class Leaver(Base):
    def misbehave(self, batch):
        sys.exit(0)


class Interrupter(Base):
    def misbehave(self, batch):
        raise KeyboardInterrupt


class Absent(Base):
    def load(self, files, device):
        sys.exit(0)


class Unloadable(Base):
    def load(self, files, device):
        with open(os.environ["HOSTILE_LOADS"], "a") as file:
            file.write("load\n")
        raise OSError("no weights\nhere")


class Slowloader(Base):
    def load(self, files, device):
        time.sleep(1000)


class Sleeper(Base):
    batch_size = 2
    def misbehave(self, batch):
        time.sleep(1000)


class Stopper(Base):
    """Hangs in a way that no code of its own process can end."""
    def misbehave(self, batch):
        os.kill(os.getpid(), signal.SIGSTOP)


class Mute(Base):
    """Raises what cannot be printed."""
    def misbehave(self, batch):
        class Unprintable(Exception):
            def __str__(self):
                raise self
            __repr__ = __str__
        raise Unprintable


class Verbose(Base):
    def misbehave(self, batch):
        raise ValueError("\x1b[31mred\n" + "x" * 10_000_000 + "\ud800")


class Endless(Base):
    def anonymize(self, batch, *, seed):
        while True:
            yield np.zeros_like(batch[0].image)


class Trickster(Base):
    """Returns something that refuses to be looked at."""
    def anonymize(self, batch, *, seed):
        class Refusal:
            @property
            def __class__(self):
                raise SystemExit(0)
            def __len__(self):
                raise SystemExit(0)
            __repr__ = __str__ = __len__
        return [Refusal() if s.image.mean() < 40 else np.zeros_like(s.image) for s in batch]


class Flood(Base):
    """Prints without end, to every place there is."""
    def misbehave(self, batch):
        print("first words", flush=True)
        for _ in range(300):
            os.write(1, b"\x1b[2Jflood " * 1000)
            os.write(2, b"flood " * 1000)


class Vandal(Base):
    """Changes whatever a process has, and does its work nevertheless."""
    def anonymize(self, batch, *, seed):
        os.chdir("/")
        os.umask(0o777)
        os.environ.clear()
        sys.stdout = sys.stderr = None
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.closerange(0, 256)
        batch[0].image[:] = 7
        return [np.zeros_like(sample.image) for sample in batch]


class Closer(Base):
    """Closes all descriptors, the harness's too."""
    def misbehave(self, batch):
        os.closerange(0, 65536)


class Parent(Base):
    """Starts programs that would outlive it: one plainly, one in a session of its own, one that is nobody's child, and
    one that is so with nothing left of the environment."""
    def load(self, files, device):
        sleep = [sys.executable, "-c", "import time; time.sleep(1000)", os.environ["HOSTILE_MARK"]]
        subprocess.Popen(sleep)
        subprocess.Popen(sleep, start_new_session=True)
        subprocess.run(["setsid", "sh", "-c", '"$@" & exit 0', "sh", *sleep])
        if os.fork() == 0:
            time.sleep(1000)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execve(sys.executable, sleep, {})
            os._exit(0)
    def misbehave(self, batch):
        os._exit(3)


class Floats(Base):
    def anonymize(self, batch, *, seed):
        return [np.zeros(sample.image.shape, np.float32) for sample in batch]


class Forgetful(Base):
    """Returns nothing, or one picture in place of a list."""
    def anonymize(self, batch, *, seed):
        return batch[0].image if batch[0].image.mean() < 40 else None


class Cropper(Base):
    def anonymize(self, batch, *, seed):
        return [np.zeros_like(sample.image)[:-8] for sample in batch]


class Mumbler(Base):
    def anonymize(self, batch, *, seed):
        return [MethodFailure("two\nlines " + "x" * 1000) for sample in batch]


class Reader(Base):
    """Fails with the name it was told."""
    def anonymize(self, batch, *, seed):
        raise ValueError(batch[0].id)


class Drawer(Base):
    """Draws every pixel, of another clip anew."""
    batch_size = 3
    def anonymize(self, batch, *, seed):
        return [sample_rng(seed, s.draw + s.sequence).integers(0, 255, s.image.shape, np.uint8) for s in batch]


class Constructed(Base):
    def __init__(self):
        sys.exit(0)


class Cardless(Base):
    @property
    def card(self):
        raise OSError("no card")
    @card.setter
    def card(self, value):
        pass
'''


def install(site: Path, monkeypatch: pytest.MonkeyPatch, *, entry: str = "") -> None:
    """Makes `SOURCE` a distribution whose classes are methods by their lower-case names; ``entry``: further lines of
    its entry points."""
    classes = [line.split()[1].split("(")[0].rstrip(":") for line in SOURCE.splitlines() if line.startswith("class ")]
    points = [f"{name.lower()} = hostile_plugin:{name}" for name in classes if name != "Base"]
    _install(site, "hostile", SOURCE, [*points, entry], monkeypatch)


def install_here(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets this process find the plug-ins that were installed in ``site``, for the rest of the test."""
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(registry, "targets", cache(registry.targets.__wrapped__))


def install_method(site: Path, name: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes ``source`` a distribution that gives a method ``name``, a class of that name."""
    _install(site, name, source, [f"{name} = {name}_plugin:{name.title()}"], monkeypatch)


def _install(site: Path, name: str, source: str, points: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}_plugin.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[unmask.methods]", *points, ""]))
    monkeypatch.setenv("PYTHONPATH", str(site))
