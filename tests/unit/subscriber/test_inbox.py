from __future__ import annotations

import os
import signal
import threading
import time

from subscriber_cli.inbox import Inbox
from subscriber_cli.model.budget import INBOX_BYTES, ITEM_BYTES


def test_a_word_goes_before_every_message() -> None:
    inbox = Inbox()
    for number in range(1000):
        inbox.put(number)
    inbox.press("stop")

    assert inbox.get() == "stop"
    assert [inbox.get(1), inbox.get(0)] == [0, 1]


def test_it_is_full_by_bytes_and_not_by_items() -> None:
    inbox = Inbox()
    full = []
    for size, count in ((INBOX_BYTES // 3, 3), (0, INBOX_BYTES // ITEM_BYTES + 2)):
        for _ in range(count):
            inbox.put("item", size)
        full.append(inbox.full)
        inbox.get()
        full.append(inbox.full)
        while inbox.get(0) is not None:
            pass
        full.append(inbox.full)

    assert full == [True, False, False, True, True, False]


def test_it_waits_no_longer_than_asked() -> None:
    inbox = Inbox()
    inbox.press("stop")
    assert inbox.get(0) == "stop"

    began = time.monotonic()
    assert inbox.get(0) is None  # the word's mark is still in the queue
    assert inbox.get(0.1) is None
    assert 0.09 < time.monotonic() - began < 5


def test_whoever_does_not_wait_is_woken() -> None:
    inbox = Inbox()
    woken = []
    inbox.wake = lambda: woken.append(inbox.get(0))
    inbox.put("first")
    inbox.put("second")

    assert woken == ["first", "second"]


def test_a_signal_wakes_who_waits() -> None:
    inbox = Inbox()
    before = signal.signal(signal.SIGUSR1, lambda *_: inbox.press("said by a signal"))
    try:
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        assert inbox.get(30) == "said by a signal"
    finally:
        signal.signal(signal.SIGUSR1, before)
