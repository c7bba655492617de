"""``fanwhy-pub check``: is the configuration right, and does the broker let us do our work?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from rich.text import Text

from publisher.cli.examination import Finding, examine
from publisher.cli.options import Broker, Config, Json, Prefix, settings_of
from publisher.cli.output import console, print_json
from publisher.contract.printable import printable


def command(
    as_json: Json = False, broker: Broker = None, prefix: Prefix = None, config: Config = None
) -> int:
    """Check the configuration, the broker, the credentials and the prefix.

    Exits with 1 when something does not work, and with 2 when the configuration is wrong.

    Examples:
        fanwhy-pub check
        fanwhy-pub check --broker mqtts://me@broker.local
    """
    findings = list(examine(settings_of(broker, prefix, config)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_findings(findings)
    return 0 if all(finding.ok for finding in findings) else 1


def print_findings(findings: Iterable[Finding]) -> None:
    """A line for each, with a mark and, where it is wrong, what would mend it."""
    out = console()
    for finding in findings:
        mark = ("✓ ", "green") if finding.ok else ("✗ ", "bold red")
        fix = f"; {finding.fix}" if finding.fix else ""
        line = printable(f"{finding.name:15}{finding.detail}{fix}")
        out.print(Text.assemble(mark, line), soft_wrap=True)
