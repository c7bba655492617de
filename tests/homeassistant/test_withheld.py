"""A broker that hands nothing retained to Home Assistant, as RabbitMQ does with wildcards."""

from __future__ import annotations

import pytest
from harness import Broker, Daemon, HomeAssistant, Machine, Withholding, environment, wait_until


@pytest.fixture
def parts(tmp_path):
    broker = Broker(tmp_path).start()
    between = Withholding(broker.port)
    daemon = Daemon(tmp_path, broker, Machine(tmp_path).root).start()
    assistant = HomeAssistant(environment(), between.port)
    yield between, assistant
    assistant.close()
    daemon.kill()
    between.close()
    broker.stop()


def test_we_speak_on_birth_and_everything_is_there(parts):
    between, assistant = parts

    def everything() -> bool:
        states = assistant.states()
        return all(
            states.get(f"sensor.nas_{name}", {}).get("state")
            not in (None, "unknown", "unavailable")
            for name in ("why", "state", "cpu_usage", "memory_usage")
        )

    for _ in range(2):
        withheld = between.withheld
        assistant.start()
        wait_until(everything, 30)
        assistant.stop()
    assert between.withheld > withheld
    assert assistant.complaints() == []
