"""Whatever books and sensors say: a sentence that fits, is printable and does not flicker."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.contract.payload import encode, to_json
from publisher.contract.readings import EvidenceReading, ExplanationReading, GroupKind
from publisher.explain.detect.ranking import MOST_CAUSES
from publisher.explain.detect.resources import OWN_CORES
from publisher.explain.explain_settings import ExplainSettings
from publisher.explain.explainer import Explainer
from publisher.explain.inputs import Signs
from publisher.explain.naming.rules import RuleBook, load
from publisher.explain.report.headline import LONGEST
from publisher.ledger.accounts import Account, Balance, Clues, MemoryLimit, WorkGroup

KNOWN = [
    "make", "cc1", "xmrig", "borg", "postgres", "python3", "bash", "gzip", "node", "java",
    "ffmpeg", "ollama", "md0_resync", "systemd", "nginx", "mosquitto_sub", "firefox",
]  # fmt: skip
HOSTILE = ["", " ", "\r", "\x1b]0;x\x07", "\u202eevil", "名前" * 30, "%s {x}", "a: b c"]
NAMES = st.one_of(st.sampled_from(KNOWN), st.sampled_from(HOSTILE), st.text(max_size=70))
OR_NONE = st.one_of(st.just(""), NAMES)
PERCENT = st.one_of(st.none(), st.floats(0, 100))
RATE = st.one_of(st.none(), st.floats(0, 1e12))
DEGREES = st.one_of(st.none(), st.floats(-50, 130))
FLAG = st.one_of(st.none(), st.booleans())
WATTS = st.one_of(st.none(), st.floats(0, 2000))


@st.composite
def groups(draw: st.DrawFn, number: int) -> tuple[WorkGroup, Clues]:
    kind, label = draw(st.sampled_from(list(GroupKind))), draw(NAMES)
    own = number == 0 and draw(st.booleans())
    clues = Clues(
        program=draw(NAMES),
        executable=draw(st.one_of(st.just("/bin/bash"), OR_NONE)),
        script=draw(OR_NONE),
        command=draw(OR_NONE),
        unit=draw(OR_NONE) if kind is GroupKind.UNIT else "",
        container_name=label if kind is GroupKind.CONTAINER else "",
        container_image=draw(OR_NONE) if kind is GroupKind.CONTAINER else "",
        ancestors=tuple(draw(st.lists(NAMES, max_size=3))),
        members=tuple(draw(st.lists(NAMES, max_size=8))),
    )
    return WorkGroup(f"group {number}", kind, label, own), clues


SIZE = st.integers(0, 1 << 40)
LIMIT = st.builds(
    MemoryLimit, limit_bytes=SIZE, used_bytes=SIZE, strained=st.booleans(),
    shared=st.sampled_from(["", "user 1000", "the pod"]),
)  # fmt: skip


@st.composite
def balances(draw: st.DrawFn, known: list[tuple[WorkGroup, Clues]]) -> Balance:
    window, cores = draw(st.floats(0.05, 400)), draw(st.sampled_from([1, 2, 4, 64]))
    accounts = tuple(
        Account(
            group=group,
            clues=clues,
            cpu_seconds=window * draw(st.sampled_from([0, 0.01, 0.1, 0.29, 0.31, 1, 2, cores])),
            process_count=draw(st.integers(0, 9)),
            memory_bytes=draw(st.one_of(st.none(), st.integers(0, 1 << 40))),
            memory_growth_bytes_per_second=draw(st.one_of(st.none(), st.floats(-1e9, 1e9))),
            disk_read_bytes_per_second=draw(RATE),
            disk_write_bytes_per_second=draw(RATE),
            network_receive_bytes_per_second=draw(RATE),
            memory_limit=draw(st.one_of(st.none(), LIMIT)),
            gpu_percent=draw(st.one_of(st.none(), st.floats(0, 800))),
            gpu_power_watts=draw(WATTS),
        )
        for group, clues in known
        if draw(st.integers(0, 9))
    )
    unnamed = window * draw(st.sampled_from([0, 0, 0.1, 2]))
    busy = sum(account.cpu_seconds for account in accounts) + unnamed
    return Balance(
        window_seconds=window, cores=cores, busy_seconds=busy, accounts=accounts,
        unattributed_seconds=unnamed,
    )  # fmt: skip


EVIDENCE = st.builds(
    EvidenceReading,
    cpu_percent=PERCENT, memory_available_percent=PERCENT, pressure_memory_percent=PERCENT,
    pressure_io_percent=PERCENT, disk_bytes_per_second=RATE, network_bytes_per_second=RATE,
    gpu_percent=PERCENT, fan_speed_rpm=st.one_of(st.none(), st.integers(0, 30_000)),
    cpu_temperature_celsius=DEGREES, cpu_temperature_limit_celsius=DEGREES,
    fan_duty_percent=PERCENT, throttling=FLAG, gpu_temperature_celsius=DEGREES,
    gpu_headroom_celsius=DEGREES, gpu_throttling=FLAG, gpu_fan_percent=PERCENT,
    gpu_power_watts=WATTS, power_watts=WATTS,
)  # fmt: skip
SIGNS = st.builds(
    Signs,
    oom_kills=st.one_of(st.none(), st.integers(0, 9)),
    upkeep=st.sampled_from([(), ("RAID check (md0)",)]),
    fans_stopped=st.sampled_from([{}, {"fan1 (nct6798)": False, "AIO_PUMP (nct6798)": True}]),
)
Scene = tuple[Balance, EvidenceReading, Signs, int]


@st.composite
def plays(draw: st.DrawFn) -> list[Scene]:
    """Scenes, in each of which nothing changes for some windows."""
    known = [draw(groups(number)) for number in range(draw(st.integers(0, 14)))]
    return [
        (draw(balances(known)), draw(EVIDENCE), draw(SIGNS), draw(st.integers(1, 30)))
        for _ in range(draw(st.integers(1, 4)))
    ]


_BOOK: list[RuleBook] = []


@settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(plays())
def test_the_verdict_on_anything(scenes: list[Scene]) -> None:
    _BOOK[:] = _BOOK or [load()]
    explainer = Explainer(ExplainSettings(), rules=_BOOK[0])
    now, wall = 100.0, 1.8e9
    for balance, evidence, signs, windows in scenes:
        sentences = []
        for _ in range(windows):
            now, wall = now + balance.window_seconds, wall + balance.window_seconds
            verdict = explainer.judge(balance, evidence, now=now, wall=wall, signs=signs)
            is_sound(verdict, balance, evidence)
            sentences.append(without_times(verdict.headline or ""))
            for event in explainer.transitions():
                encode(to_json(event))
                assert (event.message or "").isprintable()
            wait = explainer.wants_soon()
            assert wait is None or wait > 0
        changes = sum(one != other for one, other in pairwise(sentences))
        assert changes == len(set(sentences)) - 1, "it came back to what it had said before"


def is_sound(verdict: ExplanationReading, balance: Balance, evidence: EvidenceReading) -> None:
    """What holds for every verdict."""
    encode(to_json(verdict))
    assert 0 < len(verdict.headline or "") <= LONGEST
    assert (verdict.headline or "").isprintable()
    assert len(verdict.causes) <= 6 * MOST_CAUSES
    assert len(verdict.rejected) <= 3
    assert verdict.cause == (verdict.causes[0].category if verdict.causes else None)
    categories = [cause.category for cause in verdict.causes if cause.active]
    assert categories == sorted(categories, key=lambda category: category != "cryptomining")
    for cause in verdict.causes:
        assert cause.label
        assert cause.label.isprintable()
        assert 0 <= (cause.share_percent or 0) <= 100.001
        assert -1e-6 <= (cause.power_watts or 0) <= (evidence.power_watts or 0) + 1e-6
    own = [account for account in balance.accounts if account.group.own]
    if verdict.state != "cooling" and not any(
        account.cpu_seconds >= OWN_CORES * balance.window_seconds for account in own
    ):
        blamed = {cause.group for cause in verdict.causes if cause.confidence == 1.0}
        assert not blamed or balance.window_seconds < 4


def without_times(sentence: str) -> str:
    """The sentence without what may well change while nothing else does."""
    for tail in (", since ", ", quiet at ", ", as on "):
        sentence = sentence.partition(tail)[0]
    return sentence
