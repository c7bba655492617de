"""The terminal as a whole: the other screen, single keys, and only the lines that changed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.control import Control
from rich.text import Text

from subscriber_cli.inbox import Inbox

# Terminals that cannot show more than ASCII get something of the same width and weight.
_ASCII = str.maketrans("▌●▸·…━┄▁▂▃▄▅▆▇█°µ\N{MULTIPLICATION SIGN}", "|*>..=-__..--+#oux")


@dataclass(frozen=True, slots=True)
class Key:
    """A key, or an arrow as ``n`` or ``p``."""

    char: str


class Resized:
    """The window has another size now."""


class Suspended:
    """The user wants the shell for a while (Control-Z)."""


class Painter:
    """Puts lines on the screen; what has not changed is not sent again, which SSH is glad of."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._before: list[str] = []
        self._size: tuple[int, int] = (0, 0)
        self._mode = _Mode()
        self._plain = not console.encoding.lower().startswith("utf")

    def enter(self, mode: _Mode) -> None:
        """Takes the terminal."""
        self._mode = mode
        mode.single()
        self._console.set_alt_screen(True)
        self._console.control(Control.show_cursor(False))
        self._size = (0, 0)  # whatever is there is not ours

    def leave(self) -> None:
        """Gives the terminal back as it was."""
        # It may be gone by now, and with it the need.
        with contextlib.suppress(OSError):
            self._console.control(Control.show_cursor(True))
            self._console.set_alt_screen(False)
        self._mode.whole()

    def suspend(self) -> None:
        """Gives the terminal back until the shell lets us go on."""
        self.leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        self.enter(self._mode)

    def paint(self, lines: Sequence[Text]) -> None:
        """Shows the lines; as many as the terminal is high."""
        size = (self._console.width, self._console.height)
        whole = size != self._size
        # After a full line the cursor still stands on its last column: nothing to erase there.
        drawn = [self._ansi(line) + ("\x1b[K" if line.cell_len < size[0] else "") for line in lines]
        out = ["\x1b[2J"] if whole else []
        for row, line in enumerate(drawn):
            if whole or row >= len(self._before) or line != self._before[row]:
                out.append(f"\x1b[{row + 1};1H{line}")
        self._before, self._size = drawn, size
        if out:
            # One write, and synchronised where the terminal knows it: no half-drawn screen.
            self._console.file.write("\x1b[?2026h" + "".join(out) + "\x1b[?2026l")
            self._console.file.flush()

    def _ansi(self, line: Text) -> str:
        with self._console.capture() as captured:
            self._console.print(line, end="", no_wrap=True, overflow="crop", crop=True)
        text = captured.get()
        if self._plain:
            text = text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
        return text


@contextmanager
def fullscreen(console: Console, inbox: Inbox) -> Iterator[Painter]:
    """The other screen and single keys; whatever happens, the first one back as it was.

    ``inbox`` gets ``Key``, ``Resized`` and ``Suspended``.
    """
    painter = Painter(console)
    with _signals(inbox), _keys(inbox) as mode:
        painter.enter(mode)
        try:
            yield painter
        finally:
            painter.leave()


@contextmanager
def _signals(inbox: Inbox) -> Iterator[None]:
    """What the system says goes the way of the keys, so that nothing interrupts a drawing."""
    meanings = {
        "SIGWINCH": Resized(),
        "SIGTSTP": Suspended(),
        "SIGTERM": Key("q"),
        "SIGHUP": Key("q"),
    }
    before = {}
    for name, item in meanings.items():
        number = getattr(signal, name, None)  # Windows has but one of them
        if number is not None:
            before[number] = signal.signal(number, lambda *_, item=item: inbox.press(item))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True, slots=True)
class _Mode:
    """How the keyboard is switched between whole lines and single keys."""

    single: Callable[[], None] = lambda: None
    whole: Callable[[], None] = lambda: None


@contextmanager
def _keys(inbox: Inbox) -> Iterator[_Mode]:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415  # only there

        _listen(inbox, lambda: msvcrt.getwch().encode())
        yield _Mode()
        return
    import termios  # noqa: PLC0415  # not on Windows
    import tty  # noqa: PLC0415

    if not sys.stdin.isatty():
        yield _Mode()
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    _listen(inbox, lambda: os.read(descriptor, 32))

    def whole() -> None:
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    yield _Mode(single=lambda: tty.setcbreak(descriptor), whole=whole)


_ARROWS = {b"\x1b[A": "p", b"\x1b[D": "p", b"\x1b[B": "n", b"\x1b[C": "n"}


def _listen(inbox: Inbox, read: Any) -> None:
    def run() -> None:
        with contextlib.suppress(OSError):  # the terminal went away
            while data := read():
                arrow = _ARROWS.get(data.replace(b"\x1bO", b"\x1b["))
                for char in [arrow] if arrow else data.decode("ascii", "ignore"):
                    inbox.press(Key(char))

    # A read cannot be interrupted; the thread ends with the program.
    threading.Thread(target=run, name="fanwhy-keys", daemon=True).start()
