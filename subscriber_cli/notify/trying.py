"""A message to try it out, and whether each address is one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, Final

from publisher.contract.units import duration
from publisher.errors import FanwhyError
from subscriber_cli.notify.courier import ANSWER_SECONDS, Answer, Courier, Gone
from subscriber_cli.notify.rules import Rule, Sort
from subscriber_cli.notify.targets import Secrets
from subscriber_cli.notify.words import measured

_STATES: Final = {"cooling": "cooling down", "pressure": "under pressure"}


def describe(rule: Rule) -> str:
    """What a rule tells, in words."""
    hosts = ", ".join(each.text for each in rule.hosts) or "a machine"
    lasting = f" for {duration(rule.for_seconds)}" if rule.for_seconds else ""
    match rule.sort:
        case Sort.ALERT:
            which = ", ".join(each.text for each in rule.alerts)
            return f"{hosts} raises an alert ({which}){lasting}"
        case Sort.SILENT:
            return f"{hosts} is offline or silent{lasting}, or the broker cannot be reached"
        case Sort.MISSING:
            return f"{_work(rule)} did not run on {hosts} in the day before {rule.at:%H:%M}"
        case Sort.SUMMARY:
            when = "on Mondays" if rule.weekly else "every day"
            return f"what {hosts} did, {when} at {rule.at:%H:%M}"
    parts = [_STATES.get(state, state) for state in rule.states]
    found = [" or ".join(parts)] if parts else []
    found += [f"above {measured(name, limit)}" for name, limit in rule.limits.items()]
    if rule.names_causes:
        found.append(f"with {_work(rule)} to blame")
    return f"{hosts} is {' and '.join(found)}{lasting}"


def _work(rule: Rule) -> str:
    return ", ".join([*(each.text for each in rule.causes), *rule.categories])


def ask(urls: Mapping[str, str], names: Iterable[str], words: Mapping[str, Any]) -> dict[str, str]:
    """Asks the sending process about each target, and waits.

    Args:
        urls: addresses by name.
        names: of the targets that are asked about.
        words: of ``worker``, without number and address.

    Returns:
        by name, why it failed; empty where it did not.

    Raises:
        FanwhyError: the sending process cannot be used.
    """
    answers: SimpleQueue[Answer | Gone] = SimpleQueue()
    courier = Courier(answers.put, time.monotonic)
    secrets = Secrets(urls.values())
    asked = {courier.ask(url=urls[name], **words): name for name in names}
    found: dict[str, str] = {}
    ends = time.monotonic() + ANSWER_SECONDS
    try:
        while len(found) < len(asked):
            item = answers.get(timeout=max(ends - time.monotonic(), 0.01))
            if isinstance(item, Gone):
                raise FanwhyError("the process that sends ended by itself; is Apprise whole?")
            said = secrets.hide(item.said) or "no reason was given"
            found[asked[item.request]] = "" if item.ok else said
    except Empty:
        late = (name for name in asked.values() if name not in found)
        found |= dict.fromkeys(late, f"no answer in {ANSWER_SECONDS:.0f} s")
    finally:
        courier.close()
    return {name: found[name] for name in asked.values()}
