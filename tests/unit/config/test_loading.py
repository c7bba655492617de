"""Flags, environment, file, defaults: who goes first, and what is said when one is wrong."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.cli.loading import load_settings
from publisher.config.load import Loaded, load
from publisher.config.setting import setting
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError
from publisher.mqtt.broker import BrokerSettings, resolve_password


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terminal:
    """What the terminal reads of the file."""

    prefix: str = setting("host", "First levels of every topic.")
    broker: BrokerSettings = field(default_factory=BrokerSettings)


def _load(
    tmp_path: Path, text: str = "", *, environment: dict[str, str] | None = None, **flags: str
) -> Loaded[Settings]:
    file = tmp_path / "config.toml"
    file.write_text(text)
    file.chmod(0o600)
    return load_settings(config=str(file), environment=environment or {}, **flags)


def _complaint(tmp_path: Path, text: str = "", **rest: object) -> str:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text, **rest)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(tmp_path), "")


# --- precedence ------------------------------------------------------------------------------


def test_flags_before_environment_before_file_before_defaults(tmp_path: Path) -> None:
    text = 'prefix = "file"\n[broker]\nurl = "mqtt://file"\n'
    environment = {"FANWHY_PREFIX": "environment", "FANWHY_BROKER": "mqtt://environment"}
    assert _load(tmp_path).settings.prefix == "host"
    assert _load(tmp_path, text).settings.prefix == "file"
    found = _load(tmp_path, text, environment=environment).settings
    assert (found.prefix, found.broker.url) == ("environment", "mqtt://environment")
    found = _load(
        tmp_path, text, environment=environment, prefix="flag", broker="mqtt://flag"
    ).settings
    assert (found.prefix, found.broker.url) == ("flag", "mqtt://flag")


def test_sections_are_merged_setting_by_setting(tmp_path: Path) -> None:
    found = _load(
        tmp_path,
        "[sampling]\nperiod_seconds = 3\npulse = false\n",
        environment={"FANWHY_SAMPLING__PERIOD_SECONDS": "4"},
    ).settings.sampling
    assert (found.period_seconds, found.pulse, found.rest_period_seconds) == (4, False, 6)


@pytest.mark.parametrize(
    ("variable", "text", "section", "name", "value"),
    [
        ("FANWHY_SAMPLING__PERIOD_SECONDS", "0.5", "sampling", "period_seconds", 0.5),
        ("FANWHY_SAMPLING__PULSE", "off", "sampling", "pulse", False),
        ("FANWHY_BROKER__KEEPALIVE_SECONDS", "30", "broker", "keepalive_seconds", 30),
        ("FANWHY_BROKER__URL", "mqtt://h", "broker", "url", "mqtt://h"),
        ("FANWHY_BROKER__PROTOCOL", "3.1.1", "broker", "protocol", "3.1.1"),
        ("FANWHY_BROKER__PASSWORD", "1234", "broker", "password", "1234"),
        ("FANWHY_SENSES__DISABLED", "cpu, memory", "senses", "disabled", ("cpu", "memory")),
        ("FANWHY_SENSES__DISABLED", '["cpu"]', "senses", "disabled", ("cpu",)),
        ("FANWHY_PUBLISHING__HEARTBEATS", "{ cpu = 60 }", "publishing", "heartbeats", {"cpu": 60}),
        ("FANWHY_PUBLISHING__HEARTBEATS__CPU", "60", "publishing", "heartbeats", {"cpu": 60}),
        ("FANWHY_PUBLISHING__HEARTBEAT_SECONDS", "", "publishing", "heartbeat_seconds", 300),
        ("FANWHY_IGNORE__FANS", "nct6798 fan2, cpu*", "ignore", "fans", ("nct6798 fan2", "cpu*")),
        ("FANWHY_CHOOSE__FAN", "nct6798 fan2", "choose", "fan", "nct6798 fan2"),
        (
            "FANWHY_EXPLAIN__BLAME_ABOVE_PERCENT",
            '{ "rest*" = 80 }',
            "explain",
            "blame_above_percent",
            {"rest*": 80},
        ),
    ],
)
def test_environment(  # noqa: PLR0917  # a table has columns
    tmp_path: Path, variable: str, text: str, section: str, name: str, value: object
) -> None:
    found = _load(tmp_path, environment={variable: text, "PATH": "/bin"}).settings
    assert getattr(getattr(found, section), name) == value


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ('[names]\n"nct6798 fan2" = "Rear fan"\nsda = "Old disk"', {}),
        ("", {"FANWHY_NAMES": '{ "nct6798 fan2" = "Rear fan", sda = "Old disk" }'}),
    ],
)
def test_names_of_devices(tmp_path: Path, text: str, environment: dict[str, str]) -> None:
    found = _load(tmp_path, text, environment=environment).settings
    assert found.names == {"nct6798 fan2": "Rear fan", "sda": "Old disk"}


def test_a_name_from_the_environment_alone(tmp_path: Path) -> None:
    assert _load(tmp_path, environment={"FANWHY_NAMES__SDA": "Old disk"}).settings.names == {
        "sda": "Old disk"
    }


def test_the_first_file_found_is_the_one(tmp_path: Path) -> None:
    users = tmp_path / "xdg" / "fanwhy" / "config.toml"
    users.parent.mkdir(parents=True)
    users.write_text('prefix = "users"')
    named = tmp_path / "named.toml"
    named.write_text('hostname = "named"')
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert load_settings(environment=environment).path == users
    environment["FANWHY_CONFIG"] = str(named)
    found = load_settings(environment=environment)
    assert (found.path, found.settings.hostname, found.settings.prefix) == (named, "named", "host")


def test_home_is_where_it_is_by_default(tmp_path: Path) -> None:
    users = tmp_path / ".config" / "fanwhy" / "config.toml"
    users.parent.mkdir(parents=True)
    users.write_text("")
    assert load_settings(environment={"HOME": str(tmp_path)}).path == users


def test_files_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("p\n")
    found = _load(
        tmp_path, '[broker]\nca_file = "/etc/ca.crt"\npassword_file = "secret"\n'
    ).settings
    assert found.broker.password_file == str(tmp_path / "secret")
    assert found.broker.ca_file == "/etc/ca.crt"
    assert resolve_password(found.broker, {}) == "p"


def test_files_in_the_environment_are_relative_to_where_we_are(tmp_path: Path) -> None:
    found = _load(tmp_path, environment={"FANWHY_BROKER__CA_FILE": "ca.crt"}).settings
    assert found.broker.ca_file == str(Path.cwd() / "ca.crt")


# --- the terminal reads the same file --------------------------------------------------------


def test_the_terminal_passes_over_what_is_the_daemons(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('prefix = "lab"\n[sampling]\nnot_ours = 1\n')
    found = load(
        _Terminal, flags={}, config=str(file), environment={"FANWHY_LEDGER__X": "1"}, foreign=True
    )
    assert found.settings.prefix == "lab"


def test_the_terminal_warns_of_variables_of_its_own_sections_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("")
    environment = {"FANWHY_LEDGER__X": "1", "FANWHY_PORT": "1", "FANWHY_BROKER__URLL": "1"}
    found = load(_Terminal, flags={}, config=str(file), environment=environment, foreign=True)
    (warning,) = found.warnings
    assert "did you mean FANWHY_BROKER" in warning


def test_but_not_over_a_typing_mistake_in_what_is_its_own(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[broker]\nurll = 1\n")
    with pytest.raises(ConfigError, match=r"urll: no such setting; did you mean broker\.url"):
        load(_Terminal, flags={}, config=str(file), environment={}, foreign=True)


# --- what is wrong, in one line --------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[sampling]\nperod_seconds = 3",
            "sampling.perod_seconds: no such setting; did you mean sampling.period_seconds?",
        ),
        (
            "period_seconds = 3",
            "period_seconds: no such setting; did you mean sampling.period_seconds?",
        ),
        ("[samplin]\nperiod_seconds = 3", "samplin: no such setting; did you mean sampling?"),
        ("zzz = 3", "zzz: no such setting"),
        ('"\\u001b[2J" = 3', "\\x1b[2J: no such setting"),
        (
            '[sampling]\nperiod_seconds = "fast"',
            'sampling.period_seconds: expected a number from 0.5 to 60, found "fast"',
        ),
        (
            "[sampling]\nperiod_seconds = 0.1",
            "sampling.period_seconds: expected a number from 0.5 to 60, found 0.1",
        ),
        (
            "[sampling]\nperiod_seconds = true",
            "sampling.period_seconds: expected a number from 0.5 to 60, found true",
        ),
        (
            "[sampling]\nperiod_seconds = nan",
            "sampling.period_seconds: expected a number from 0.5 to 60, found nan",
        ),
        (
            "[sampling]\nperiod_seconds = [2]",
            "sampling.period_seconds: expected a number from 0.5 to 60, found a list",
        ),
        ('[sampling]\npulse = "yes"', 'sampling.pulse: expected true or false, found "yes"'),
        ("[sampling]\npulse = 1", "sampling.pulse: expected true or false, found 1"),
        (
            "[broker]\nkeepalive_seconds = 10.5",
            "broker.keepalive_seconds: expected a whole number from 5 to 3600, found 10.5",
        ),
        ("[broker]\nprotocol = 5", "broker.protocol: expected one of auto, 5, 3.1.1, found 5"),
        ("sampling = 3", "sampling: expected a table of settings, found a number"),
        ('broker = "mqtt://u:hunter2@h"', "broker: expected a table of settings, found text"),
        ("hostname = 2024-01-01", "hostname: expected text, found a date or time"),
        ('[senses]\ndisabled = "gpu"', 'senses.disabled: expected a list of words, found "gpu"'),
        ("[names]\nsda = 3", "names.sda: expected text, found 3"),
        ('names = "x"', 'names: expected a table of words, found "x"'),
        (
            "[explain.blame_above_percent]\nplex = 120",
            "explain.blame_above_percent.plex: expected a number from 0 to 100, found 120",
        ),
        ("[ignore]\ndisc = []", "ignore.disc: no such setting; did you mean ignore.disks?"),
        ("[senses]\ndisabled = [3]", "senses.disabled: expected text, found 3"),
        ('[senses]\ndisabled = ["cpus"]', "senses.disabled: no subsystem cpus; did you mean cpu?"),
        (
            "[publishing.heartbeats]\nmemry = 60",
            "publishing.heartbeats: no topic memry; did you mean memory?",
        ),
        (
            "[publishing.heartbeats]\ncpu = 1",
            "publishing.heartbeats.cpu: expected a number from 5 to 86400, found 1",
        ),
        (
            '[broker]\nurl = "http://h"',
            "broker.url: unknown scheme 'http'; use mqtt, mqtts, ws or wss",
        ),
        (
            '[broker]\nurl = "mqtt://h:99999"',
            "broker.url: the port must be a number from 1 to 65535",
        ),
        ('prefix = ""', "prefix: '': every level between slashes needs a name"),
        ('prefix = "a/#"', "prefix: 'a/#': may not hold + #"),
        ('root = "/no/such/folder"', "root: no such folder: /no/such/folder"),
        (
            '[explain]\nrules_file = "/no/rules.toml"',
            "explain.rules_file: /no/rules.toml: No such file or directory",
        ),
        ("prefix = ", "not TOML: Invalid value (at end of document)"),
    ],
)
def test_wrong_in_the_file(tmp_path: Path, text: str, line: str) -> None:
    said = _complaint(tmp_path, text)
    assert said.startswith("/config.toml: ")
    assert said.removeprefix("/config.toml: ").startswith(line)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        (
            {"FANWHY_SAMPLING__PERIOD_SECONDS": "soon"},
            'FANWHY_SAMPLING__PERIOD_SECONDS: expected a number from 0.5 to 60, found "soon"',
        ),
        ({"FANWHY_BROKER": "ftp://h"}, "FANWHY_BROKER: unknown scheme 'ftp'"),
        (
            {"FANWHY_BROKER__KEEPALIVE_SECONDS": "1e3"},
            'FANWHY_BROKER__KEEPALIVE_SECONDS: expected a whole number from 5 to 3600, found "1e3"',
        ),
        (
            {"FANWHY_PUBLISHING__HEARTBEATS__CPU": "no"},
            'FANWHY_PUBLISHING__HEARTBEATS__CPU: expected a number from 5 to 86400, found "no"',
        ),
        (
            {"FANWHY_SAMPLING__PULSE": "x" * 90},
            'FANWHY_SAMPLING__PULSE: expected true or false, found "' + "x" * 39 + '…"',
        ),
    ],
)
def test_wrong_in_the_environment(tmp_path: Path, environment: dict[str, str], line: str) -> None:
    assert line in _complaint(tmp_path, environment=environment)


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        ("FANWHY_PREFX", "FANWHY_PREFX: no such setting, passed over; did you mean FANWHY_PREFIX?"),
        ("FANWHY_SAMPLING__PERIOD", "did you mean FANWHY_SAMPLING__PERIOD_SECONDS?"),
        ("FANWHY_PERIOD_SECONDS", "did you mean FANWHY_SAMPLING__PERIOD_SECONDS?"),
        ("FANWHY_BROKR", "did you mean FANWHY_BROKER?"),
        ("FANWHY_BROKER_PASSWORD", "did you mean FANWHY_BROKER__PASSWORD?"),
        # Docker links: of a container called fanwhy, or of a broker of its own
        ("FANWHY_PORT_1883_TCP", "FANWHY_PORT_1883_TCP: no such setting, passed over; "),
        ("FANWHY_PORT_1883_TCP_ADDR", "FANWHY_PORT_1883_TCP_ADDR: no such setting, passed over; "),
        ("FANWHY_NAME", "FANWHY_NAME: no such setting, passed over; "),
        ("FANWHY_ENV_FANWHY_BROKER", "FANWHY_ENV_FANWHY_BROKER: no such setting, passed over; "),
        # services of Kubernetes, called fanwhy or fanwhy-broker
        ("FANWHY_SERVICE_HOST", "FANWHY_SERVICE_HOST: no such setting, passed over; "),
        ("FANWHY_SENSES", "FANWHY_SENSES: no such setting, passed over; "),  # a section
        ("FANWHY_PORT", "FANWHY_PORT: no such setting, passed over; "),
        ("FANWHY_BROKER_PORT", "FANWHY_BROKER_PORT: no such setting, passed over; "),
        ("FANWHY_PUBLISHING__HEARTBEATS__CPU__X", "no such setting"),
    ],
)
def test_variables_of_others_are_passed_over(tmp_path: Path, variable: str, line: str) -> None:
    environment = {variable: "tcp://172.17.0.2:271828", "FANWHY_PREFIX": "lab"}

    found = _load(tmp_path, environment=environment)

    assert found.settings.prefix == "lab"
    (warning,) = found.warnings
    assert line in warning
    assert "271828" not in warning


def test_wrong_in_a_flag(tmp_path: Path) -> None:
    assert _complaint(tmp_path, broker="mqtt://").startswith("--broker: no host name")
    assert _complaint(tmp_path, prefix="$SYS").startswith("--prefix: '$SYS'")


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    environment = {"FANWHY_SAMPLING__PULSE": "2"}
    said = _complaint(tmp_path, "a = 1\nlog_level = 3\n", environment=environment)
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize(
    "text",
    [
        "[broker]\npassword = 271828",
        '[broker]\npassword = ["271828"]',
        '[broker]\nurl = ["mqtt://u:271828@h"]',
        '[broker]\nurl = "http://u:271828@h"',
        '[broker]\nurl = "mqtt://u:271828@h:port"',
        '[broker]\nurl = "mqtt://u:271828@h/path"',
        'broker = "mqtt://u:271828@h"',
    ],
)
def test_a_secret_is_never_repeated(tmp_path: Path, text: str) -> None:
    assert "271828" not in _complaint(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigError, match=r"missing\.toml: cannot be read: No such file"):
        load_settings(config=str(missing), environment={})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(config=str(tmp_path), environment={})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a text file in UTF-8"):
        load_settings(environment={"FANWHY_CONFIG": str(binary)})


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_file_brings_anything_but_settings_or_a_line(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(text.encode())
    with contextlib.suppress(ConfigError):
        load_settings(config=str(file), environment={})
