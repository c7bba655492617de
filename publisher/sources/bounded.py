"""Calls into a driver that may never come back, made where they harm nobody."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from publisher.errors import SourceError

_T = TypeVar("_T")


class Bounded:
    """One thread for all calls into one driver, and a deadline for each.

    A call that outlives its deadline is left behind. Until it comes back nothing more is asked,
    so that there is never more than one stuck thread; it is a daemon thread, so that it does not
    keep the process from ending.

    Args:
        name: of the thread.
        driver: who is asked, for messages.
        seconds: the deadline.
        clock: monotonic seconds, to say how long a call has been stuck.
    """

    def __init__(self, name: str, driver: str, seconds: float, clock: Callable[[], float]) -> None:
        self._name = name
        self._driver = driver
        self._seconds = seconds
        self._clock = clock
        self._asked = threading.Semaphore(0)
        self._calls: deque[_Call] = deque()
        self._thread: threading.Thread | None = None
        self._left_behind: _Call | None = None
        self._since = 0.0

    @property
    def stuck(self) -> bool:
        """Whether a call left behind has still not come back."""
        return self._left_behind is not None and not self._left_behind.done.is_set()

    def run(self, work: Callable[[], _T], seconds: float | None = None) -> _T:
        """What ``work`` gives or raises.

        Args:
            work: to be done in the thread.
            seconds: another deadline than the usual one.

        Raises:
            HangingError: there is no answer.
            SourceError: no thread can be had.
        """
        if self._left_behind is not None:
            if not self._left_behind.done.is_set():
                raise HangingError(self._driver, self._clock() - self._since)
            self._left_behind = None
        if self._thread is None:
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                raise SourceError(NO_THREAD) from None
            self._thread = thread
        call = _Call(work)
        began = self._clock()
        self._calls.append(call)
        self._asked.release()
        if not call.done.wait(self._seconds if seconds is None else seconds):
            self._left_behind, self._since = call, began
            raise HangingError(self._driver, self._clock() - began)
        if call.failure is not None:
            raise call.failure
        value: _T = call.value
        return value

    def close(self) -> None:
        """Ends the thread once it is idle; a stuck one is left behind."""
        if self._thread is not None:
            self._asked.release()  # with no call: the end
            self._thread = None

    def _work(self) -> None:
        while True:
            self._asked.acquire()
            if not self._calls:
                return
            call = self._calls.popleft()
            try:
                call.value = call.work()
            except Exception as error:  # noqa: BLE001  # handed to whoever waits
                call.failure = error
            call.done.set()


NO_THREAD = "the system lets us start no thread (TasksMax, ulimit -u)"


class HangingError(SourceError):
    """A driver does not answer."""

    def __init__(self, driver: str, seconds: float) -> None:
        super().__init__(
            f"{driver} has not answered for {max(seconds, 0):.0f} s",
            remedy="see the kernel's log (dmesg); resetting the device or a reboot may be needed",
        )


class _Call:
    """One thing to do, and how it went."""

    __slots__ = ("done", "failure", "value", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.done = threading.Event()
        self.value: Any = None
        self.failure: Exception | None = None
