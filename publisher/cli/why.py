"""``fanwhy-pub why``: the verdict without a broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Annotated

import typer

from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import print_json
from publisher.config.state_folder import state_dir
from publisher.contract import past
from publisher.contract.payload import Envelope, to_json
from publisher.contract.printable import printable
from publisher.contract.readings import ExplanationReading
from publisher.contract.when import parse
from publisher.daemon.settings import Settings
from publisher.daemon.timeline import KEPT_SECONDS
from publisher.daemon.timeline_reading import reading_of
from publisher.daemon.timeline_store import recall
from publisher.errors import FanwhyError, SourceError
from publisher.explain.explainer import Explainer
from publisher.pipeline import EXPLANATION, LEDGER, Pipeline

# Two windows make a verdict, and together they must outlast a blip.
_STEP_SECONDS = 0.7


def command(
    *,
    seconds: Annotated[
        float,
        typer.Option(min=1.5, max=3600, metavar="SECONDS", help="How long to watch."),
    ] = 3.0,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Tell of then instead, from what the daemon has kept: 03:12, 'yesterday 3am'.",
        ),
    ] = None,
    as_json: Json = False,
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> int:
    """Watch this machine for a moment and say in one sentence why it is busy, hot or loud.

    With --json it is the payload of host/explanation; with --at what was known of that moment.

    Examples:
        fanwhy-pub why
        fanwhy-pub why --seconds 10
        fanwhy-pub why --json | jq .causes
        fanwhy-pub why --at 03:12
        fanwhy-pub why --at "yesterday 3am"
    """
    settings = settings_of(broker, prefix, config).settings
    if at is not None:
        return tell_of(at, settings.host, time.time(), as_json=as_json)
    verdict = watch(settings, seconds)
    if as_json:
        print_json(Envelope(settings.host).wrap(to_json(verdict), time.time()))
    else:
        print(printable(verdict.headline or ""))
    return 0


def tell_of(at: str, host: str, now: float, *, as_json: bool) -> int:
    """Prints what the daemon has kept of a moment; the exit code is 1 where that is nothing.

    Raises:
        ConfigError: ``at`` is no time, or has not been yet.
        FanwhyError: no daemon has kept anything.
    """
    when = parse(at, now)
    timeline = recall(state_dir())
    if timeline.looked is None:
        raise FanwhyError("nothing is known of the last two days: does the daemon run here?")
    live = now - timeline.looked <= KEPT_SECONDS
    told = past.at(reading_of(timeline, now), when, now, live=live)
    if as_json:
        print_json({"host": host, **told.json()})
    else:
        for line in past.sentences(told, now):
            print(printable(line))
    return 1 if told.missing else 0


def watch(settings: Settings, seconds: float) -> ExplanationReading:
    """The verdict on the next seconds; what the daemon has learned is taken into account."""
    explainer = Explainer(settings.explain, state_dir=state_dir(), keeps=False)
    with closing(Pipeline.of(settings, explainer=explainer)) as pipeline:
        return follow(pipeline, seconds=seconds)


def follow(
    pipeline: Pipeline, *, seconds: float, pause: Callable[[float], None] = time.sleep
) -> ExplanationReading:
    """The last verdict of ``seconds`` of windows, each judged as the daemon judges it.

    Raises:
        SourceError: nothing can be judged here.
    """
    verdict: ExplanationReading | None = None
    until = pipeline.sources.monotonic() + seconds
    while True:
        sample = pipeline.sample()
        verdict = sample.verdict or verdict
        now = pipeline.sources.monotonic()
        if now >= until:
            break
        pause(min(_STEP_SECONDS, max(until - now, 0.1)))
    if verdict is None:
        found = next(
            (
                pipeline.health[name]
                for name in (LEDGER, EXPLANATION)
                if pipeline.health[name].state != "ok"
            ),
            None,
        )
        raise SourceError(found.reason if found else "no window was long enough to be judged")
    return verdict
