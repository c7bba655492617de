"""Waiting for a wake-up, by poll and where there is none."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from servers import wait_until

from publisher.daemon.wakeup import Wakeup

LONG = 20.0


@pytest.fixture(params=["poll", "select"])
def wakeup(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wakeup]:
    if request.param == "select":
        monkeypatch.delattr(select, "poll", raising=False)
    made = Wakeup()
    yield made
    made.close()


def seconds_of(wakeup: Wakeup, longest: float) -> float:
    began = time.monotonic()
    assert wakeup.wait(longest) == set()
    return time.monotonic() - began


def test_it_waits_as_long_as_it_is_told_and_not_at_all_for_what_is_over(wakeup: Wakeup) -> None:
    assert seconds_of(wakeup, 0.05) >= 0.05
    assert seconds_of(wakeup, 0) < LONG
    assert seconds_of(wakeup, -1) < LONG


def test_a_wake_up_before_the_wait_ends_it_and_only_that_one(wakeup: Wakeup) -> None:
    for _ in range(100_000):  # more than any socket holds
        wakeup.wake()
    while wakeup.wait(0.01) or seconds_of(wakeup, 0.05) < 0.05:
        pass  # what waits is taken in pieces
    wakeup.wake()
    assert seconds_of(wakeup, LONG) < LONG
    assert seconds_of(wakeup, 0.05) >= 0.05


def test_another_thread_ends_the_wait(wakeup: Wakeup) -> None:
    waker = threading.Thread(target=wakeup.wake)
    waker.start()
    assert seconds_of(wakeup, LONG) < LONG
    waker.join()


def test_a_signal_ends_the_wait(wakeup: Wakeup) -> None:
    before = signal.signal(signal.SIGINT, lambda *_: None)
    previous = signal.set_wakeup_fd(wakeup.descriptor, warn_on_full_buffer=False)
    try:
        main = threading.main_thread().ident
        assert main is not None
        threading.Thread(target=signal.raise_signal, args=(signal.SIGINT,)).start()
        assert seconds_of(wakeup, LONG) < LONG
    finally:
        signal.set_wakeup_fd(previous)
        signal.signal(signal.SIGINT, before)


def test_something_urgent_is_told_by_its_descriptor(wakeup: Wakeup) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    with ours, theirs:
        theirs.send(b"usual")
        assert wakeup.wait(0.05, [ours.fileno()]) == set()
        theirs.send(b"!", socket.MSG_OOB)
        assert wakeup.wait(LONG, [ours.fileno()]) == {ours.fileno()}
        wakeup.wake()
        assert wakeup.wait(LONG, []) == set()


def test_a_wake_up_after_the_end_does_no_harm(wakeup: Wakeup) -> None:
    wakeup.close()
    wakeup.wake()


@pytest.mark.parametrize("closed", [False, True])
def test_a_descriptor_in_error_does_not_keep_a_processor_busy(wakeup: Wakeup, closed: bool) -> None:
    """A pressure trigger that the kernel took back is in error, and says so at every poll."""
    read, write = os.pipe()
    os.close(write)
    if closed:
        os.close(read)
    returns, over = 0, threading.Event()

    def wait() -> None:
        nonlocal returns
        while not over.is_set():
            wakeup.wait(LONG, [read])
            returns += 1

    thread = threading.Thread(target=wait)
    thread.start()
    wakeup.wake()
    wait_until(lambda: returns)
    over.set()
    wakeup.wake()
    thread.join()
    assert returns <= 4, "one for each wake-up, and the one that lets go of it"
    if not closed:
        os.close(read)
