"""Starting the terminal loads the contract and nothing else of the publisher."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import subscriber_cli.__main__
for name in sorted(sys.modules):
    print(name)
"""


def test_it_loads_no_sense_and_no_driver() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())

    assert "paho.mqtt.client" in loaded
    assert not loaded & {"psutil", "pynvml"}
    of_publisher = {name for name in loaded if name.startswith("publisher.")}
    assert {name.split(".")[1] for name in of_publisher} == {"config", "contract", "errors", "mqtt"}
