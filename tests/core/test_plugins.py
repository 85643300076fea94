"""A plug-in that never ends is given up before anything runs."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from unmask.bench.core import plugins
from unmask.bench.core.errors import BrokenPluginError
from unmask.bench.core.plugins import create_plugin, load_plugin

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timer that interrupts")


class Waiter:
    """Tries again whatever happens."""

    def __init__(self) -> None:
        while True:
            try:
                time.sleep(1000)
            except Exception:
                continue


class Spinner:
    def __init__(self) -> None:
        while True:
            pass


@pytest.mark.parametrize("cls", [Waiter, Spinner])
def test_a_constructor_that_hangs_is_interrupted(cls: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "TIME_LIMIT_S", 0.2)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(BrokenPluginError, match=r"method 'w' \(a plug-in\) cannot be used: it took longer than 0.2 s"):
        create_plugin("method", "w", cls)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_module_that_hangs_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hanging_plugin.py").write_text("import time; time.sleep(1000)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "TIME_LIMIT_S", 0.2)
    with pytest.raises(BrokenPluginError, match="took longer"):
        load_plugin("method", "w", "hanging_plugin:W")
    assert "hanging_plugin" not in sys.modules
