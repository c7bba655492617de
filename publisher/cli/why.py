"""``fanwhy-pub why``: the verdict without a broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer

from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import print_json
from publisher.config.state import state_dir
from publisher.contract.payload import Envelope, to_json
from publisher.contract.printable import printable
from publisher.contract.readings import ExplanationReading
from publisher.daemon.settings import Settings
from publisher.explain.explainer import Explainer
from publisher.explain.inputs import evidence, signs
from publisher.ledger import Ledger, open_ledger
from publisher.ledger.usage.gpu_users import with_gpu
from publisher.sources import Sources, machine_files
from publisher.subsystems import SUBSYSTEMS
from publisher.subsystems.runner import SubsystemRunner

# Two windows make a verdict, and together they must outlast a blip.
_STEP_SECONDS = 0.7


def command(
    seconds: Annotated[
        float,
        typer.Option(min=1.5, max=3600, metavar="SECONDS", help="How long to watch."),
    ] = 3.0,
    as_json: Json = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> int:
    """Watch this machine for a moment and say in one sentence why it is busy, hot or loud.

    With --json it is the payload of host/explanation.

    Examples:
        fanwhy-pub why
        fanwhy-pub why --seconds 10
        fanwhy-pub why --json | jq .causes
    """
    settings = settings_of(broker, prefix, config).settings
    verdict = watch(settings, seconds)
    if as_json:
        print_json(Envelope(settings.host).wrap(to_json(verdict), time.time()))
    else:
        print(printable(verdict.headline or ""))
    return 0


def watch(settings: Settings, seconds: float) -> ExplanationReading:
    """The verdict on the next seconds; what the daemon has learned is taken into account."""
    sources = Sources(files=machine_files(settings.root))
    senses = SubsystemRunner(
        sources,
        SUBSYSTEMS,
        disabled=settings.senses.disabled,
        options={"disk": settings.smart},
    )
    ledger = open_ledger(sources, settings.ledger)
    explainer = Explainer(settings.explain, state_dir=state_dir(), keeps=False)
    try:
        return follow(sources, senses, ledger, explainer, seconds=seconds)
    finally:
        ledger.close()
        senses.close()
        sources.files.close()


def follow(
    sources: Sources,
    senses: SubsystemRunner,
    ledger: Ledger,
    explainer: Explainer,
    *,
    seconds: float,
    pause: Callable[[float], None] = time.sleep,
) -> ExplanationReading:
    """The last verdict of ``seconds`` of windows, each judged as the daemon judges it."""
    verdict = ExplanationReading()
    until = sources.monotonic() + seconds
    while True:
        readings, balance = senses.read(), ledger.sample()
        now = sources.monotonic()
        if balance is not None:
            balance = with_gpu(balance, senses.gpu_users(), ledger.account_of)
            verdict = explainer.judge(
                balance, evidence(readings), now=now, wall=sources.wall(), signs=signs(readings)
            )
        if now >= until:
            return verdict
        pause(min(_STEP_SECONDS, max(until - now, 0.1)))
