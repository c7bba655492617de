"""The session against a real mosquitto with the configuration that we ship."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.broker

Run = Callable[..., Any]  # makes running sessions
Watch = Callable[..., Any]  # makes clients that collect what comes

ONLINE, OFFLINE = b"online", b"offline"


def test_states_are_retained_with_all_that_mqtt_5_can_say(
    broker: Any, run: Run, watch: Watch
) -> None:
    one = run(broker.url)
    one.put("host/cpu", b'{"usage_percent":1}')
    one.wait_state(True)
    watch(broker).wait_for("host/cpu")
    late = watch(broker)
    cpu, online = late.wait_for("host/cpu"), late.wait_for("host/status", ONLINE)
    assert cpu.retain
    assert cpu.user_properties == {"schema_version": "1"}
    assert cpu.properties.ContentType == "application/json"
    assert cpu.properties.PayloadFormatIndicator == 1
    assert 890 < cpu.properties.MessageExpiryInterval <= 900
    assert online.user_properties == {"schema_version": "1", "boot_id": "boot-1"}
    assert online.properties.ContentType == "text/plain"


def test_a_reader_of_the_old_version_gets_the_same_payloads(
    broker: Any, run: Run, watch: Watch
) -> None:
    one = run(broker.url)
    one.put("host/cpu", b"1")
    assert watch(broker, version=4).wait_for("host/cpu", b"1")


def test_speaking_3_1_1_when_told_to(broker: Any, run: Run, watch: Watch) -> None:
    one = run(broker.url, protocol="3.1.1")
    one.put("host/cpu", b"1")
    assert one.wait_state(True) == f"connected to {broker.url} with MQTT 3.1.1"
    assert watch(broker).wait_for("host/cpu", b"1")


def test_a_wrong_password_is_one_line(
    broker: Any, run: Run, wait_until: Callable[..., None]
) -> None:
    one = run(broker.url, password="wrong")
    wait_until(lambda: broker.said.count("not authorised") >= 3)
    assert one.states == [(False, f"{broker.url}: not authorised; check user name and password")]


def test_no_password_is_one_line(broker: Any, run: Run) -> None:
    one = run(broker.url, username=None, password=None)
    assert "not authorised" in one.wait_state(False)


def test_two_with_the_same_client_id_are_told_why_they_lose_each_other(
    broker: Any, run: Run, wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = run(broker.url), run(broker.url)
    wait_until(lambda: any("fanwhy-0123456789ab?" in each.message for each in caplog.records))
    assert one.session.connections + other.session.connections >= 3


def test_a_password_that_is_put_right_lets_us_in(
    broker: Any, run: Run, tmp_path: Path, passwords: dict[str, str]
) -> None:
    file = tmp_path / "password"
    file.write_text("wrong\n")
    one = run(broker.url, password=None, password_file=str(file))
    one.wait_state(False)
    file.write_text(passwords["fanwhy"] + "\n")
    one.wait_state(True)


def test_a_reader_may_ask_and_read_but_not_speak_for_the_host(
    broker: Any, run: Run, watch: Watch
) -> None:
    one = run(broker.url)
    one.wait_state(True)
    reader = watch(broker)
    reader.publish("host/status", b"offline", retain=True)
    reader.publish("homeassistant/device/x/config", b"{}")
    reader.publish("host/cpu", b"forged")
    reader.publish("host/command", b"why", response_topic="host/reply/7", correlation_data=b"\0\1")
    one.wait(lambda: one.requests)
    [request] = one.requests
    assert request.payload == b"why"
    one.put(
        request.response_topic, b"because", retain=False, qos=1,
        correlation_data=request.correlation_data,
    )  # fmt: skip
    answer = reader.wait_for("host/reply/7", b"because")
    assert answer.properties.CorrelationData == b"\0\1"
    assert not answer.retain
    assert {each.topic for each in reader.messages} == {
        "host/status", "host/command", "host/reply/7",
    }  # fmt: skip
    assert reader.last("host/status").payload == ONLINE


def test_home_assistant_may_read_discovery_and_announce_itself(
    broker: Any, run: Run, watch: Watch
) -> None:
    one = run(broker.url)
    one.put("homeassistant/device/fanwhy/config", b"{}", expiry_seconds=None)
    home = watch(broker, "homeassistant/#", username="homeassistant")
    home.wait_for("homeassistant/device/fanwhy/config")
    home.publish("homeassistant/status", b"online")
    home.wait_for("homeassistant/status", b"online")


def test_what_we_may_not_do_is_said(
    broker: Any, run: Run, passwords: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    one = run(broker.url, username="reader", password=passwords["reader"])
    one.wait_state(True)
    one.put("host/cpu", qos=1)
    one.session.stop([], timeout=3)
    assert [each.message for each in caplog.records] == [
        (
            f"{broker.url}: it does not take what we publish to host/status (not authorized); "
            "check its access rules"
        ),
        (
            f"{broker.url}: it does not take what we publish to host/cpu (not authorized); "
            "check its access rules"
        ),
    ]


def test_everything_is_there_again_after_the_broker_came_back_empty(
    broker: Any, run: Run, watch: Watch
) -> None:
    one = run(broker.url)
    topics = [f"host/{name}" for name in ("cpu", "memory", "gpu", "explanation")]
    for topic in topics:
        one.put(topic, topic.encode())
    for topic in topics:
        watch(broker).wait_for(topic)
    broker.kill()
    line = one.wait_state(False)
    assert "connection lost" in line or "nothing listens" in line
    one.put("host/cpu", b"newer")
    broker.start()
    late = watch(broker)
    for topic in topics[1:]:
        late.wait_for(topic, topic.encode())
    late.wait_for("host/cpu", b"newer")
    late.wait_for("host/status", ONLINE)
    assert one.session.connections == 2


def test_an_orderly_end_is_told_at_once_and_without_the_will(
    broker: Any, run: Run, watch: Watch
) -> None:
    one = run(broker.url)
    watcher = watch(broker)
    watcher.wait_for("host/status", ONLINE)
    one.session.stop([one.status(OFFLINE)], timeout=3)
    assert watcher.wait_for("host/status", OFFLINE).user_properties["boot_id"] == "boot-1"
    assert watcher.last("host/status") == watcher.messages[-1]


VICTIM = """
import sys, threading
from publisher.mqtt.session import Session
from publisher.mqtt.outbox import Outbox
from publisher.mqtt.broker import BrokerSettings
from publisher.contract.messages import Message
def status(word):
    return Message(topic="host/status", payload=word, qos=1, retain=True)
outbox = Outbox()
session = Session(
    BrokerSettings(url=sys.argv[1], username="fanwhy", password=sys.argv[2]),
    identity="fedcba9876543210", will=status(b"offline"), will_delay_seconds=1, boot_id="boot-2",
    outbox=outbox, subscriptions=[], on_request=print, on_state=print,
)
outbox.put(status(b"online"))
session.start()
threading.Event().wait()
"""


def test_a_killed_daemon_is_reported_by_the_broker(
    broker: Any, watch: Watch, passwords: dict[str, str]
) -> None:
    watcher = watch(broker)
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, broker.url, passwords["fanwhy"]],
        stdout=subprocess.DEVNULL,
    )
    try:
        watcher.wait_for("host/status", ONLINE)
    finally:
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait(10)
    will = watcher.wait_for("host/status", OFFLINE)
    assert will.user_properties == {"schema_version": "1", "boot_id": "boot-2"}
    assert watch(broker).wait_for("host/status", OFFLINE).retain


# paho leaves the socket of a failed handshake to the collector, which closes it and complains.
failed_handshake = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

TLS = """
listener {{port}} 127.0.0.1
cafile {ca}
certfile {certificate}
keyfile {key}
"""


@pytest.fixture
def tls_listener(certificates: Any) -> str:
    return TLS.format(
        ca=certificates.ca_crt, certificate=certificates.server_crt, key=certificates.server_key
    )


def test_tls_with_an_authority_of_ones_own(
    mosquitto: Callable[..., Any], run: Run, watch: Watch, certificates: Any, tls_listener: str
) -> None:
    broker = mosquitto(listeners=tls_listener)
    one = run(f"mqtts://127.0.0.1:{broker.other_port}", ca_file=certificates.ca_crt)
    exchange_much(one, broker, watch)


@failed_handshake
@pytest.mark.parametrize("authority", ["stranger_crt", None])
def test_a_certificate_that_we_do_not_trust(
    mosquitto: Callable[..., Any],
    run: Run,
    certificates: Any,
    tls_listener: str,
    authority: str | None,
) -> None:
    broker = mosquitto(listeners=tls_listener)
    url = f"mqtts://127.0.0.1:{broker.other_port}"
    one = run(url, ca_file=authority and getattr(certificates, authority))
    line = one.wait_state(False)
    assert line.startswith(f"{url}: its certificate is not trusted")
    assert "ca_file" in line


@failed_handshake
def test_a_certificate_for_another_name(
    mosquitto: Callable[..., Any], run: Run, certificates: Any, tls_listener: str
) -> None:
    broker = mosquitto(listeners=tls_listener.replace("127.0.0.1\n", "\n", 1))
    one = run(f"mqtts://localhost:{broker.other_port}", ca_file=certificates.ca_crt)
    assert "certificate" in one.wait_state(False)


@failed_handshake
def test_a_client_certificate(
    mosquitto: Callable[..., Any], run: Run, certificates: Any, tls_listener: str
) -> None:
    broker = mosquitto(listeners=tls_listener + "require_certificate true\n")
    url = f"mqtts://127.0.0.1:{broker.other_port}"
    without = run(url, ca_file=certificates.ca_crt)
    without.wait_state(False)
    one = run(
        url, ca_file=certificates.ca_crt, certificate_file=certificates.client_crt,
        key_file=certificates.client_key,
    )  # fmt: skip
    one.wait_state(True)


@failed_handshake
def test_tls_where_there_is_none(broker: Any, run: Run) -> None:
    url = f"mqtts://127.0.0.1:{broker.port}"
    line = run(url).wait_state(False)
    assert line.startswith(url)


def test_no_tls_where_there_is_some(
    mosquitto: Callable[..., Any], run: Run, tls_listener: str
) -> None:
    broker = mosquitto(listeners=tls_listener)
    url = f"mqtt://127.0.0.1:{broker.other_port}"
    assert "mqtts://" in run(url).wait_state(False)


def test_websockets(mosquitto: Callable[..., Any], run: Run, watch: Watch) -> None:
    broker = mosquitto(listeners="listener {port} 127.0.0.1\nprotocol websockets\n")
    one = run(f"ws://127.0.0.1:{broker.other_port}/mqtt")
    exchange_much(one, broker, watch)


def test_websockets_over_tls(
    mosquitto: Callable[..., Any], run: Run, watch: Watch, certificates: Any, tls_listener: str
) -> None:
    broker = mosquitto(listeners=tls_listener + "protocol websockets\n")
    one = run(f"wss://127.0.0.1:{broker.other_port}/mqtt", ca_file=certificates.ca_crt)
    exchange_much(one, broker, watch)


def exchange_much(one: Any, broker: Any, watch: Watch) -> None:
    """More than one record of TLS, frame of a websocket and buffer of a socket, both ways."""
    big = b"x" * 300_000
    one.put("host/catalogue", big)
    assert watch(broker).wait_for("host/catalogue", big)
    watch(broker).publish("host/command", b"y" * 40_000)
    one.wait(lambda: one.requests)
    assert one.requests[0].payload == b"y" * 40_000


@failed_handshake
def test_websockets_where_there_are_none(broker: Any, run: Run) -> None:
    url = f"ws://127.0.0.1:{broker.port}"
    line = run(url).wait_state(False)
    assert line == f"{url}/mqtt: it offers no MQTT over websockets; are port and path right?"
