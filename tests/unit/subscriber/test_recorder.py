"""What waits to be written: when it is due, and what is given up when there is no room."""

from __future__ import annotations

from publisher.contract.messages import Receipt
from subscriber_cli.model.decode import Packed
from subscriber_cli.recorder import Batch


def message(size: int = 10) -> Packed:
    return Packed("host", "cpu", b"x" * size, retained=False)


def test_values_wait_for_others_and_events_do_not() -> None:
    batch = Batch()
    assert batch.due == float("inf")
    batch.add(message(), 0.0, None, 100.0)
    assert batch.due == 110.0
    batch.add(message(), 0.0, Receipt(1, 1), 103.0)
    assert batch.due == 104.0
    batch.add(message(), 0.0, None, 103.5)
    assert batch.due == 104.0


def test_what_the_broker_waits_for_is_written_before_it_stops_sending() -> None:
    batch = Batch()
    for number in range(10):
        batch.add(message(), 0.0, Receipt(1, number), 100.0)
    assert batch.due == 100.0


def test_much_is_written_at_once() -> None:
    batch = Batch()
    for _ in range(5):
        batch.add(message(1 << 20), 0.0, None, 100.0)
    assert batch.due == 100.0


def test_where_there_is_no_room_goes_first_what_comes_again_by_itself() -> None:
    batch = Batch()
    batch.add(message(), 0.0, Receipt(1, 1), 100.0)
    for _ in range(20):
        batch.add(message(1 << 20), 0.0, None, 100.0)
    gone = batch.drop()

    assert gone == 5
    assert batch.receipts() == [Receipt(1, 1)]
    assert batch.size <= 16 << 20
    assert batch.drop() == 0


def test_when_only_events_are_left_the_oldest_go_and_are_not_confirmed() -> None:
    batch = Batch()
    for number in range(20):
        batch.add(message(1 << 20), 0.0, Receipt(1, number), 100.0)
    batch.drop()

    assert batch.receipts()[-1] == Receipt(1, 19)
    assert len(batch.receipts()) == batch.owed < 20
