from __future__ import annotations

from subscriber_cli.model.info import SubsystemHealth, identity, subsystems
from subscriber_cli.model.row import read_row


def test_subsystems_say_how_they_are() -> None:
    senses = {"gpu.nvidia": {"state": "absent", "reason": "no driver"}, "x\x1b": {}, "y": 3}

    assert subsystems({"senses": senses}) == (
        SubsystemHealth("gpu.nvidia", "absent", "no driver"),
        SubsystemHealth("x\\x1b", "", ""),
    )
    assert subsystems({"senses": 3}) == ()


def test_a_machine_is_known_by_a_few_fields() -> None:
    row = read_row((), {"machine_id": "1", "kernel": "Linux 6", "logical_cores": 8})

    assert [cell.column.name for cell in identity(row).cells] == ["kernel"]
