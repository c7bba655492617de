"""What is fed with anything at all: every parser of what others write.

A target takes bytes and does with them what the program would. It may refuse them in the way that
its callers expect; whatever else it raises, and a value that cannot be told, is a finding.
``make fuzz`` looks for one for as long as it is let, and the suite tries some inputs of each.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import sqlite3
import tempfile
import tomllib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from every_page import every_page
from fuzz.companions import noticed, notify_rules, rule_seeds
from rich.console import Console
from scripted_broker import ScriptedBroker, connack

from publisher.cli.descriptions import Description, DescriptionError
from publisher.cli.loading import load_settings
from publisher.config.documents import load_json
from publisher.contract import past
from publisher.contract.messages import Message, Request
from publisher.contract.model import json_schema
from publisher.contract.payload import encode, to_json
from publisher.contract.printable import printable
from publisher.contract.readings import InfoReading
from publisher.contract.topics import TopicAddresses
from publisher.contract.when import When
from publisher.daemon.commands import CommandHandler
from publisher.daemon.neighbours import Neighbours
from publisher.daemon.timeline_store import keep, recall
from publisher.daemon.unfinished import Unfinished
from publisher.errors import MALFORMED, BrokerError, ConfigError, SourceError
from publisher.explain.learned.store import LearnedStore
from publisher.explain.naming import rules
from publisher.explain.naming.classifier import Classifier
from publisher.homeassistant.announcer import Announcer
from publisher.homeassistant.discovery import Discovery, Host
from publisher.homeassistant.homeassistant_settings import HomeAssistantSettings
from publisher.ledger.described import DescribedLedger
from publisher.ledger.ledger_settings import LedgerSettings
from publisher.ledger.naming import programs
from publisher.ledger.naming.words import clean
from publisher.mqtt.broker import BrokerSettings, parse_url
from publisher.mqtt.connection import ConnectOptions, Timeouts
from publisher.mqtt.connector import Connector
from publisher.mqtt.interrupt import Interrupt
from publisher.mqtt.journal import Journal
from publisher.mqtt.outbox import Outbox
from publisher.publishing.totals import Totals
from publisher.sources import Sources, endpoints, ipmi, kernel_log, mounts, sockets
from publisher.sources.processes import parse_stat
from publisher.sources.recording import Captured
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.base import Subsystem
from publisher.subsystems.cpu import CpuReading
from publisher.subsystems.disk.arrays import mdstat
from publisher.subsystems.disk.md import spares
from publisher.subsystems.disk.smart_health import complaints, diagnosis, identity, scanned
from publisher.subsystems.disk.volumes import volumes
from publisher.subsystems.disk.zpool import statuses, statuses_of_text
from publisher.subsystems.registry import all_topics
from publisher.subsystems.thermal.turned import Turned
from subscriber_cli.archive.intake import Counts, Intake
from subscriber_cli.archive.keeping import keep_house
from subscriber_cli.archive.packing import pack, unpack
from subscriber_cli.archive.schema import prepare
from subscriber_cli.client import Connected
from subscriber_cli.model.decode import Notice, Received, Scope, decode
from subscriber_cli.model.past import timeline_of
from subscriber_cli.model.view import View
from subscriber_cli.render.history import history_lines, moment_lines
from subscriber_cli.tail import Tail

FIXTURES = Path(__file__).parents[1] / "fixtures"
CORPUS = Path(__file__).parent / "corpus"


class FindingError(AssertionError):
    """What should not be, although nothing was raised."""


@dataclass(frozen=True, slots=True)
class Target:
    """One door.

    Attributes:
        run: does with the input what the program would.
        seeds: inputs as they come from real machines, to begin with.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]] = tuple

    def corpus(self, name: str) -> list[bytes]:
        """All inputs to begin with: the seeds, and those that were found or thought of."""
        kept = sorted((CORPUS / name).glob("*")) + sorted((CORPUS / "any").glob("*"))
        return [*self.seeds(), *(path.read_bytes() for path in kept)] or [b""]


# -- files of the kernel ---------------------------------------------------------------------------


class Tampered(Captured):
    """A captured machine of which one file holds something else."""

    def __init__(self, root: Path, path: str, content: bytes) -> None:
        super().__init__(root)
        self._path, self._content = path, content

    def read(self, path: str, *, keep: bool = True) -> bytes:
        content = super().read(path, keep=keep)
        return self._content if path == self._path else content


def _cases() -> Iterator[tuple[Path, Path, type[Subsystem]]]:
    """(case, its first tree, subsystem) of every fixture of one subsystem."""
    for cls in SUBSYSTEMS:
        for case in sorted(path.parent for path in FIXTURES.glob(f"{cls.name}/*/expected.json")):
            steps = sorted(path for path in case.iterdir() if path.name.isdigit())
            yield case, (steps or [case])[0], cls


@cache
def _known_cases() -> Mapping[str, tuple[Path, type[Subsystem]]]:
    return {f"{cls.name}/{case.name}": (tree, cls) for case, tree, cls in _cases()}


def machine_seeds() -> Iterator[bytes]:
    """``case:path``, a newline, and what the file holds there."""
    for name, (tree, _) in _known_cases().items():
        for path in sorted(tree.rglob("*")):
            inside = "/" + str(path.relative_to(tree))
            if path.is_file() and not path.is_symlink() and inside.startswith(("/proc", "/sys")):
                yield f"{name}:{inside}\n".encode() + path.read_bytes()


def machine(data: bytes) -> None:
    """A subsystem on a captured machine of which one file was tampered with."""
    head, _, content = data.partition(b"\n")
    name, _, path = head.decode("utf-8", "replace").partition(":")
    if name not in _known_cases():
        return
    tree, cls = _known_cases()[name]
    files = Tampered(tree, path, content)
    seconds = itertools.count(1000.0, 2.0)
    now = next(seconds)
    subsystem = cls(Sources(files=files, monotonic=lambda: now, wall=lambda: now, nut=None))
    try:
        for _ in range(2):
            with contextlib.suppress(SourceError):
                encode(to_json(subsystem.read()))
            now = next(seconds)
    finally:
        subsystem.close()
        files.close()
    for part, failure in subsystem.health.items():
        if failure is not None and "unexpected" in str(failure):
            raise FindingError(f"{part}: {failure}")


def stat_line(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_stat(data)


def mount_table(data: bytes) -> None:
    with contextlib.suppress(SourceError):
        mounts.data(mounts.parse(data))


def namespace_traffic(data: bytes) -> None:
    with contextlib.suppress(SourceError):
        sockets.traffic(data)


def tcp_table(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        net = Path(folder, "1", "net")
        net.mkdir(parents=True)
        (net / "tcp").write_bytes(data)
        (net / "tcp6").write_bytes(data)
        with contextlib.suppress(SourceError):
            endpoints.ends_near(folder, 1)


def oom_log(data: bytes) -> None:
    facts = kernel_log._Facts()  # noqa: SLF001  # the file it comes from is a device
    for line in data.decode("utf-8", "replace").splitlines():
        facts.take(line)


# -- what tools say --------------------------------------------------------------------------------


def md_arrays(data: bytes) -> None:
    with contextlib.suppress(SourceError):
        spares(data)
        for _, array in mdstat(data):
            encode(to_json(array))


def smartctl(data: bytes) -> None:
    for status in (0, 2, 4):
        with contextlib.suppress(SourceError):
            diagnosis(status, data, device="sda")
    repr([complaints(data), scanned(data), identity(data)])


def bmc(data: bytes) -> None:
    for sensor in ipmi.parse(data.decode("utf-8", "replace")).values():
        round(sensor.value)


def zpool(data: bytes) -> None:
    for parse in (statuses, statuses_of_text):
        with contextlib.suppress(SourceError):
            repr(parse(data))


def dmsetup(data: bytes) -> None:
    for volume in volumes(data).values():
        encode(to_json(volume))


# -- processes -------------------------------------------------------------------------------------


@cache
def _ledger() -> tuple[DescribedLedger, Classifier]:
    return DescribedLedger(LedgerSettings()), Classifier(rules.load(None))


def process(data: bytes) -> None:
    """A process as it is described: its words, its name, its cgroup, its container."""
    ledger, classifier = _ledger()
    try:
        account = Description.parse(data).account(ledger)
    except DescriptionError:
        return
    found = classifier.classify(account.group, account.clues)
    for text in (found.told, found.reason, account.group.label):
        if not text.isprintable():
            raise FindingError(f"not printable: {text!r}")


def command_line(data: bytes) -> None:
    """The same from the bytes of ``/proc/<pid>/cmdline``."""
    words = data.decode("utf-8", "surrogateescape").split("\0")
    comm = words[0].rpartition("/")[2][:15]
    described = {"comm": comm or "x", "argv": words, "exe": words[0]}
    process(json.dumps(described).encode())


def any_text(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for shown in (printable(text), clean(text)):
        if not shown.isprintable():
            raise FindingError(f"not printable: {shown!r}")


# -- configuration, rules and state ----------------------------------------------------------------


def configuration(data: bytes) -> None:
    """What the check accepts must be there to be worked with."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.toml")
        path.write_bytes(data)
        try:
            loaded = load_settings(config=str(path), environment={})
        except ConfigError as error:
            _one_line_each(error)
            return
        repr(loaded.settings)


def address(data: bytes) -> None:
    try:
        str(parse_url(data.decode("utf-8", "replace")))
    except ConfigError as error:
        _one_line_each(error)


def _one_line_each(error: ConfigError) -> None:
    if not str(error).strip():
        raise FindingError("an error without a word")


def rules_file(data: bytes) -> None:
    """Rules that the check accepts must be of use to the verdict."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rules.toml")
        path.write_bytes(data)
        try:
            book = rules.load(str(path))
        except ConfigError as error:
            _one_line_each(error)
            return
    ledger, _ = _ledger()
    for comm in ("x", "backupd", "rsync"):
        account = Description.parse(json.dumps({"comm": comm}).encode()).account(ledger)
        found = Classifier(book).classify(account.group, account.clues)
        for text in (found.told, found.reason):
            if not text.isprintable():
                raise FindingError(f"not printable: {text!r}")


def programs_file(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "programs.toml")
        path.write_bytes(data)
        try:
            programs.load(str(path))
        except ConfigError as error:
            _one_line_each(error)


def state(data: bytes) -> None:
    """The files of the state folder, whoever has damaged them."""
    with tempfile.TemporaryDirectory() as folder, _quiet():
        for name in ("learned.json", "day.json", "open.json", "totals.json", "fans.json"):
            Path(folder, name).write_bytes(data)
        with contextlib.suppress(*MALFORMED):
            load_json(Path(folder, "day.json"))
        store = LearnedStore.open(folder)
        store.save(folder, 0.0)
        keep(recall(folder), folder)
        repr(Unfinished(folder).left())
        totals = Totals(folder)
        totals.raised("cpu", CpuReading(), 0.0)
        repr(totals.records)
        totals.close()
        Turned(folder).add("fan", moves=True)


def journal(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder, "events.journal")
        path.write_bytes(data)
        kept = Journal(str(path))
        for message in kept.waiting():
            repr(message)
        kept.append(Message(topic="host/event", payload=b"{}", qos=1, key="new"))
        kept.close()
        again = Journal(str(path))
        if "new" not in [message.key for message in again.waiting()]:
            raise FindingError("an event was lost")
        again.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


# -- messages --------------------------------------------------------------------------------------


def message(data: bytes) -> None:
    """``topic``, a newline, and a payload: as the terminal shows it, in both of its ways."""
    head, _, payload = data.partition(b"\n")
    leaf = head.decode("utf-8", "replace")
    found = decode(Scope("host"), f"host/{leaf}", payload, retained=True)
    if isinstance(found, Notice) and not found.text.isprintable():
        raise FindingError(f"not printable: {found.text!r}")
    if not isinstance(found, Received):
        return
    if isinstance(found.content, Mapping):
        _told_of_the_past(found.content)
    view = View(place="broker")
    view.fleet.apply(found, 1000.0)
    view.journal.apply(found, 1000.0)
    view.fleet.apply(Received("host", "status", None), 1000.0)
    for line in every_page(view, 100, 30, 1001.0):
        if not line.plain.isprintable():
            raise FindingError(f"not printable: {line.plain!r}")
    if not found.json_line().isprintable():
        raise FindingError("not printable")
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        tail = Tail(Console(file=io.StringIO(), width=200))
        tail.take(Connected(parse_url("mqtt://nas"), "5"), 0.0)
        tail.take(found, 0.1)
        tail.settle(10.0)
    if any(not line.isprintable() for line in output.getvalue().split("\n")):
        raise FindingError(f"not printable: {output.getvalue()!r}")


def _told_of_the_past(document: Mapping[str, object]) -> None:
    timeline = timeline_of(document)
    told = past.at(timeline, When(900.0, 60.0), 1000.0, live=True)
    night = past.within(timeline, 0.0, 1000.0)
    json.dumps([told.json(), to_json(night)])
    lines = [
        *moment_lines("nas", told, 1000.0),
        *history_lines("nas", night, 0.0, 1000.0, 1000.0, width=100),
    ]
    for line in lines:
        if not line.plain.isprintable():
            raise FindingError(f"not printable: {line.plain!r}")


def archived(data: bytes) -> None:
    """``topic``, a newline, and a payload: as an archive takes it, and packs it away later."""
    head, _, payload = data.partition(b"\n")
    leaf = head.decode("utf-8", "replace")
    found = decode(Scope("host"), f"host/{leaf}", payload, retained=False)
    if not isinstance(found, Received):
        return
    connection = sqlite3.connect(":memory:", isolation_level=None)
    prepare(connection, Path("memory"))
    intake = Intake(connection, {}, Counts())
    for at in (_ARCHIVED, _ARCHIVED + 90_000.0):
        intake.take(found, at)
        intake.finish()
    while keep_house(connection, _ARCHIVED + 10 * 86400, 1 << 30):
        pass
    for name in (*intake.notices, *connection.execute("SELECT name FROM host").fetchall()):
        if not str(*name if isinstance(name, tuple) else (name,)).isprintable():
            raise FindingError(f"not printable: {name!r}")
    for (packed,) in connection.execute("SELECT data FROM block"):
        unpack(packed)
    connection.close()


def block(data: bytes) -> None:
    """A block of an archive, as a damaged disk gives it: packed, or what was packed."""
    for raw in (data, zlib.compress(data)):
        with contextlib.suppress(ValueError):
            times, columns = unpack(raw)
            if any(len(column) != len(times) for column in columns):
                raise FindingError("columns of other lengths")


def catalogue(data: bytes) -> None:
    """A catalogue, and messages by it."""
    found = decode(Scope("host"), "host/catalogue", data, retained=True)
    if not isinstance(found, Received):
        return
    view = View(place="broker")
    view.fleet.apply(found, 1000.0)
    for leaf in ("cpu", "explanation", "overview", "info", "event"):
        view.fleet.apply(
            Received(
                "host",
                leaf,
                {"host": "nas", "a": 1, "b": [{"a": {"a": 1}}], "cpu_a": {"a": {"b": [1]}}},
            ),
            1000.0,
        )
    every_page(view, 100, 30, 1001.0)


class _Daemon:
    """Whatever is asked of it."""

    def __init__(self) -> None:
        outbox = Outbox()
        addresses = TopicAddresses("host")
        settings = HomeAssistantSettings()
        host = Host("nas", "machine", InfoReading())
        rows = [row for row in all_topics().values() if row.leaf == "cpu"]
        discovery = Discovery(host, addresses, rows, settings, expire_seconds=lambda _: 900)
        self.announcer = Announcer(
            host,
            discovery,
            settings,
            outbox,
            reachable=lambda: True,
        )
        self.commands = CommandHandler(
            self,
            of=addresses,
            neighbours=Neighbours(
                self, outbox, of=addresses, machine_id="ours", run="1", first=True
            ),
            homeassistant=settings,
            leaves=["cpu"],
            announce=lambda request: self.announcer.heard(request, 0.0),
        )

    def refresh(self) -> None: ...

    def answer_why(self, topic: str, correlation_data: bytes | None) -> None: ...

    def prefix_taken(self, name: str) -> None: ...

    def prefix_shared(self, name: str) -> None: ...

    def twin_lives(self, since: str) -> None: ...

    def twin_came(self) -> None: ...


def request(data: bytes) -> None:
    """``topic``, a newline, and a payload: as the daemon takes it in."""
    head, _, payload = data.partition(b"\n")
    daemon = _Daemon()
    topic = head.decode("utf-8", "replace")
    told = Told()
    log = logging.getLogger("publisher.daemon.commands")
    log.addHandler(told)
    try:
        daemon.commands.take(Request(topic=topic, payload=payload, response_topic=topic))
        for second in range(10, 100, 10):
            daemon.announcer.update({"cpu": CpuReading(usage_percent=1.0)}, (), float(second))
            daemon.announcer.tick(float(second))
    finally:
        log.removeHandler(told)
    if any("Error over a message" in line for line in told.lines):
        raise FindingError(told.lines[0])


class Told(logging.Handler):
    """What was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@cache
def _broker() -> ScriptedBroker:
    return ScriptedBroker()


def packets(data: bytes) -> None:
    """What a broker sends after it has let us in."""
    broker = _broker()
    for kept in (broker.connects, broker.published, broker.received, broker.peers):
        kept.clear()
    broker.greeting = lambda _, first: connack(first.version) + data
    settings = BrokerSettings(url=broker.url)
    with contextlib.suppress(BrokerError), contextlib.closing(Interrupt()) as interrupt, _quiet():
        connector = Connector(settings, timeouts=Timeouts(connect=2.0, answer=2.0))
        with connector.connect(ConnectOptions(client_id="fuzz"), interrupt) as connection:
            connection.subscribe(["host/#"])
            for _ in range(5):
                connection.turn(0.002)


# -- all of them -----------------------------------------------------------------------------------


def _files(pattern: str) -> Callable[[], Iterator[bytes]]:
    return lambda: (path.read_bytes() for path in sorted(FIXTURES.glob(pattern)) if path.is_file())


def _wild_arrays() -> Iterator[bytes]:
    yield from _files("**/mdstat")()
    for case in tomllib.loads((FIXTURES / "mdstat/wild.toml").read_text())["case"]:
        yield case["text"].encode()


def _wild_pools() -> Iterator[bytes]:
    for case in tomllib.loads((FIXTURES / "zpool/status.toml").read_text())["case"]:
        yield case["text"].encode()


def _wild_volumes() -> Iterator[bytes]:
    for case in tomllib.loads((FIXTURES / "dmsetup/status.toml").read_text())["case"]:
        yield case["text"].encode()


def _messages() -> Iterator[bytes]:
    for path in sorted(FIXTURES.glob("machines/*/expected.json")):
        for leaf, payload in json.loads(path.read_text()).items():
            yield f"{leaf}\n".encode() + json.dumps(payload).encode()


def _blocks() -> Iterator[bytes]:
    tables: list[list[list[float | None]]] = [
        [[1.0, 2.5, None]], [[], []], [[1e300, -0.1, 7.0], [None] * 3],
    ]  # fmt: skip
    for columns in tables:
        packed = pack(list(range(len(columns[0]))), columns)
        yield packed
        yield zlib.decompress(packed)


def _catalogues() -> Iterator[bytes]:
    yield json.dumps(json_schema({"cpu": CpuReading, "info": InfoReading})).encode()


_ARCHIVED = 1_800_000_000.0

TARGETS: Mapping[str, Target] = {
    "machine": Target(machine, machine_seeds),
    "stat_line": Target(stat_line),
    "mount_table": Target(mount_table, _files("**/mountinfo")),
    "namespace_traffic": Target(namespace_traffic, _files("**/net/dev")),
    "tcp_table": Target(tcp_table),
    "oom_log": Target(oom_log),
    "md_arrays": Target(md_arrays, _wild_arrays),
    "smartctl": Target(smartctl, _files("smart/*.json")),
    "bmc": Target(bmc),
    "zpool": Target(zpool, _wild_pools),
    "dmsetup": Target(dmsetup, _wild_volumes),
    "process": Target(process),
    "command_line": Target(command_line),
    "text": Target(any_text),
    "configuration": Target(configuration),
    "address": Target(address),
    "rules_file": Target(rules_file),
    "programs_file": Target(programs_file),
    "state": Target(state),
    "journal": Target(journal),
    "message": Target(message, _messages),
    "archived": Target(archived, _messages),
    "noticed": Target(noticed, _messages),
    "notify_rules": Target(notify_rules, rule_seeds),
    "block": Target(block, _blocks),
    "catalogue": Target(catalogue, _catalogues),
    "request": Target(request),
    "packets": Target(packets),
}
