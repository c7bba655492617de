"""The bill as lines for a terminal, and as the parts of a page."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from publisher.contract.units import Unit, humanise
from publisher.contract.when import clock
from subscriber_cli.bill import Bill, Culprit, unit_of
from subscriber_cli.model.values import clean
from subscriber_cli.render import theme, web_page

_MOST_ROWS = 12
_MOST_NAMED = 8
_EDGE = 44
_TITLES = {
    "fan_speed_rpm": "The loudest minutes",
    "cpu_temperature_celsius": "The hottest minutes (no fan is measured)",
    "cpu_percent": "The busiest minutes (neither fan nor temperature is measured)",
}


def bill_lines(bill: Bill, now: float, currency: str) -> Iterator[Text]:
    """The bill of one host; ``now`` in seconds since the epoch, for the words."""
    yield Text.assemble((clean(bill.host), "bold"), (f"  {_span(bill, now)}", "dim"))
    for sentence in summary(bill):
        yield Text(sentence)
    rows = [_row(culprit) for culprit in _shown(bill)]
    if rows:
        yield Text()
        yield _line(("Who made it", "loud", "hot", "busy", "named"), "dim")
        yield from (_line(row) for row in rows)
    if bill.energy:
        yield Text()
        yield _line(("Energy", "kWh", "%", *_money_head(bill)), "dim")
        yield from (_line(row) for row in _energy_rows(bill, currency))
    if bill.compared:
        yield Text()
        for title, words in compared(bill):
            yield Text.assemble((f"{title:<8}", "dim"), words)
    if bill.loudest:
        yield Text()
        yield Text(_TITLES[bill.loudness], style="dim")
        for loud in bill.loudest:
            when, value = loud_words(bill, loud.begin, loud.end, loud.value, now)
            style = theme.of_state(loud.state)
            told = (f"{value:>10}  ", style)
            yield Text.assemble((f"{when:<18}", "dim"), told, clean(loud.sentence))


def bill_parts(bill: Bill, now: float, currency: str) -> Iterator[str]:
    """The same as parts of a page."""
    yield web_page.heading(bill.host)
    yield web_page.paragraph(_span(bill, now), faint=True)
    for sentence in summary(bill):
        yield web_page.paragraph(sentence)
    rows = [_row(culprit) for culprit in _shown(bill)]
    if rows:
        yield web_page.heading("Who made it loud, hot and busy")
        yield web_page.table(("", "loud", "hot", "busy", "named"), rows, (1, 2, 3, 4))
        yield web_page.paragraph("In minutes; one minute counts for one culprit.", faint=True)
    if bill.energy:
        yield web_page.heading("Energy")
        heads = ("", "kWh", "%", *_money_head(bill))
        yield web_page.table(heads, _energy_rows(bill, currency), (1, 2, 3))
    if bill.compared:
        yield web_page.heading("Compared with before")
        yield web_page.table((), compared(bill))
    if bill.loudest:
        yield web_page.heading(_TITLES[bill.loudness])
        told = (
            (*loud_words(bill, loud.begin, loud.end, loud.value, now), loud.sentence)
            for loud in bill.loudest
        )
        yield web_page.table(("When", "", "What was told"), told, (1,))


def summary(bill: Bill) -> Iterator[str]:
    """The bill in a few sentences."""
    if not bill.known_minutes:
        yield "Nothing is known of that time."
        return
    parts = []
    if bill.quiet_rpm is not None:
        quiet = humanise(bill.quiet_rpm, Unit.RPM, 0)
        rest = f"about {quiet}, as it was never quiet for long" if bill.quiet_is_guess else quiet
        parts.append(f"louder than at rest ({rest}) for {_minutes(bill.loud_minutes)}")
    parts += [f"hot for {_minutes(bill.hot_minutes)}", f"busy for {_minutes(bill.busy_minutes)}"]
    yield f"Of {_minutes(bill.known_minutes)} that are known: {', '.join(parts)}."
    whole = round((bill.end - bill.begin) / 60)
    if bill.known_minutes < whole:
        yield f"Nothing is known of {_minutes(whole - bill.known_minutes)}."


def compared(bill: Bill) -> Iterator[tuple[str, str]]:
    """What is new, what grew, what is as ever."""
    for title, told in (
        ("New", [(label, "") for label in bill.new]),
        ("Grew", bill.grew),
        ("Usual", bill.usual),
    ):
        words = [clean(f"{label}: {why}" if why else label) for label, why in told[:_MOST_NAMED]]
        more = len(told) - len(words)
        if more > 0:
            words.append(f"{more} more")
        yield title, " · ".join(words) or "nothing"


def loud_words(bill: Bill, begin: float, end: float, value: float, now: float) -> tuple[str, str]:
    """(when, how much) of some of the loudest minutes."""
    first, last = clock(begin, now), clock(end - 1, now)
    day, _, _ = first.rpartition(" ")
    when = first if first == last else f"{first} to {last.removeprefix(f'{day} ')}"
    return when, humanise(value, unit_of(bill.loudness), 0)


def _span(bill: Bill, now: float) -> str:
    first, last = clock(bill.begin, now), clock(bill.end, now)
    # Of another day it says which; the day of today it leaves out.
    return f"{first} to {last if ' ' in last or ' ' not in first else f'today {last}'}"


def _shown(bill: Bill) -> list[Culprit]:
    shown = [each for each in bill.culprits if _counts(each)][:_MOST_ROWS]
    if _counts(bill.unnamed):
        shown.append(bill.unnamed)
    return shown


def _counts(culprit: Culprit) -> bool:
    return bool(culprit.loud_minutes or culprit.hot_minutes or culprit.busy_minutes)


def _row(culprit: Culprit) -> tuple[str, ...]:
    numbers = (culprit.loud_minutes, culprit.hot_minutes, culprit.busy_minutes)
    named = f"{culprit.named_minutes:,.0f}" if culprit.named_minutes else ""
    return (clean(culprit.label), *(f"{number:,}" if number else "" for number in numbers), named)


def _energy_rows(bill: Bill, currency: str) -> Iterator[tuple[str, ...]]:
    total = bill.measured_kilowatt_hours or 0.0
    for row in bill.energy:
        share = f"{row.kilowatt_hours / total * 100:.0f}" if total else ""
        yield (clean(row.label), _kwh(row.kilowatt_hours), share, *_money(row.money, currency))
    money = [row.money for row in bill.energy if row.money is not None]
    yield ("measured", _kwh(total), "100", *_money(sum(money) if money else None, currency))


def _kwh(value: float) -> str:
    return f"{value:,.{4 if value < 0.1 else 3 if value < 10 else 1}f}"


def _money_head(bill: Bill) -> tuple[str, ...]:
    return ("money",) if any(row.money is not None for row in bill.energy) else ()


def _money(amount: float | None, currency: str) -> tuple[str, ...]:
    if amount is None:
        return ()
    return (f"{amount:,.{4 if 0 < amount < 0.1 else 2}f} {clean(currency)}",)


def _minutes(count: int) -> str:
    return f"{count:,} minute" if count == 1 else f"{count:,} minutes"


def _line(row: tuple[str, ...], style: str = "") -> Text:
    name, *numbers = row
    text = Text(name, style=style)
    text.truncate(_EDGE, overflow="ellipsis", pad=True)
    for number in numbers:
        text.append(f"{number:>9}", style=style)
    return text
