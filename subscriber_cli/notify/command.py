"""``fanwhy-sub notify``: messages to phones, mailboxes and chats."""

from __future__ import annotations

import difflib
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final

import typer

from publisher.config.patterns import Pattern
from publisher.contract import topics
from publisher.errors import FanwhyError
from subscriber_cli.arguments import Broker, Config, Prefix, load_settings
from subscriber_cli.model.values import clean
from subscriber_cli.service import aside, stopping
from subscriber_cli.terminal_settings import TerminalSettings

_CHECK_SECONDS: Final = 5.0

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def notify(
    context: typer.Context, broker: Broker = None, prefix: Prefix = None, config: Config = None
) -> None:
    """Tells phones, mailboxes and chats what is worth it, as [notify] in the configuration says.

    It may be ended at any time: the broker keeps what happens meanwhile, and what was not sent yet
    is sent when it comes back.
    """
    context.obj = (broker, prefix, config)
    if context.invoked_subcommand is not None:
        return
    from subscriber_cli.notify.notifier import Notifier  # noqa: PLC0415  # as record does

    notifier = Notifier(load_settings(broker, prefix, config), aside)
    with stopping(notifier.stop, "sending messages") as stopped:
        notifier.run()
    if signal.SIGINT in stopped:
        raise KeyboardInterrupt


@app.command(name="test")
def try_out(
    context: typer.Context,
    rule: Annotated[
        str, typer.Argument(metavar="[RULE]", help="Tell only those whom this rule tells.")
    ] = "",
    broker: Broker = None,
    prefix: Prefix = None,
    config: Config = None,
) -> None:
    """Sends a message to every target, and says which have taken it."""
    from subscriber_cli.notify import notifier, rules, targets, trying  # noqa: PLC0415

    settings = _settings(context, broker, prefix, config).notify
    notifier.need_apprise()
    urls = {target.name: target.url for target in targets.targets_of(settings)}
    known = rules.rules_of(settings, urls)
    names, body = list(urls), "If you can read this, messages arrive."
    if rule:
        chosen = rules.named(known, rule)
        names = rules.addressed(chosen, urls)
        body = f"Rule {chosen.name} tells you when: {trying.describe(chosen)}."
    words = {"title": "fanwhy: a test", "body": body, "kind": "info"}
    _tell(trying.ask(urls, names, words), "taken")


@app.command()
def check(
    context: typer.Context, broker: Broker = None, prefix: Prefix = None, config: Config = None
) -> None:
    """Says what would be told to whom, and what of that cannot be; sends nothing."""
    from subscriber_cli.notify import notifier, rules, targets, trying  # noqa: PLC0415

    settings = _settings(context, broker, prefix, config)
    notifier.need_apprise()
    urls = {target.name: target.url for target in targets.targets_of(settings.notify)}
    quiet = rules.quiet_hours_of(settings.notify)
    known = rules.rules_of(settings.notify, urls)
    for warning in targets.exposed(settings.notify):
        aside(warning)
    for rule in known:
        whom = ", ".join(rules.addressed(rule, urls))
        print(clean(f"{rule.name}: {trying.describe(rule)} -> {whom}"))
    if settings.notify.quiet_hours:
        now = "now" if quiet.hold(notifier.local_time(time.time())) else "not now"
        print(f"quiet hours: {clean(settings.notify.quiet_hours)} ({now})")
    for line in _unheard(settings, known):
        print(clean(line))
    _tell(trying.ask(urls, urls, {"check": True}), "an address")


def _settings(
    context: typer.Context, broker: str | None, prefix: str | None, config: str | None
) -> TerminalSettings:
    """Options stand before or behind the word."""
    before = context.obj or (None, None, None)
    return load_settings(broker or before[0], prefix or before[1], config or before[2])


def _tell(found: Mapping[str, str], well: str) -> None:
    for name, why in found.items():
        print(f"{name}: {f'failed: {why}' if why else well}")
    if any(found.values()):
        raise FanwhyError("not every target can be used")


def _unheard(settings: TerminalSettings, known: Iterable[object]) -> Iterator[str]:
    """Names that rules ask for and that no machine has said in the last two days."""
    from subscriber_cli.listening import listen  # noqa: PLC0415
    from subscriber_cli.notify.rules import Rule  # noqa: PLC0415
    from subscriber_cli.remembered import timeline_in  # noqa: PLC0415

    heard = listen(
        settings, _CHECK_SECONDS, lambda _, message, __: message.leaf == topics.TIMELINE,
        missing="no host has said what it remembers",
    )  # fmt: skip
    hosts = list(heard.fleet)
    if not hosts:
        yield f"names are not looked up: {heard.silence}"
        return
    names = {host.name for host in hosts} | {host.prefix for host in hosts}
    culprits: set[str] = set()
    for host in hosts:
        for cause in host.explanation.causes:
            culprits |= {cause.name, cause.told, cause.label, cause.group}
        if topics.TIMELINE in host.latest:
            for past in timeline_in(host).causes:
                culprits |= {past.label or "", past.group or ""}
    for rule in known:
        if isinstance(rule, Rule):
            yield from _unfitting(f"{rule.name}: no machine is called", rule.hosts, names)
            yield from _unfitting(
                f"{rule.name}: of the last two days nothing fits", rule.causes, culprits
            )


def _unfitting(words: str, patterns: Iterable[Pattern], names: set[str]) -> Iterator[str]:
    there = {name.casefold(): name for name in names if name}
    for pattern in patterns:
        if not pattern.fits(names):
            word = pattern.text.replace("*", "").casefold()
            near = difflib.get_close_matches(word, there, n=1, cutoff=0.4)
            yield f"{words} {pattern.text}" + (f"; the nearest is {there[near[0]]}" if near else "")
