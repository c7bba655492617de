"""A container whose ``/proc/loadavg`` is another's, as lxcfs makes it: new processes are found."""

from __future__ import annotations

from pathlib import Path

import pytest
from namespaces import alone

pytestmark = pytest.mark.faults

_WATCH = """
import json, psutil, subprocess, sys, time
from pathlib import Path
from publisher.ledger import LedgerSettings, open_ledger
from publisher.sources import Sources

told = Path(sys.argv[1], "loadavg")
told.write_text(LOADAVG)
subprocess.run(["mount", "--bind", told, "/proc/loadavg"], check=True)
sleepers = [subprocess.Popen(["sleep", "60"]) for _ in range(60)]
ledger = open_ledger(Sources(), LedgerSettings(attribution="light"))
ledger.sample()
time.sleep(0.5)
ledger.sample()
busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
while psutil.Process(busy.pid).cpu_times().user < 0.3:
    time.sleep(0.1)
balance = ledger.sample()
account = ledger.account_of(busy.pid)
used = {each.group.key: each.cpu_seconds for each in balance.accounts}
for process in (busy, *sleepers):
    process.kill()
    process.wait()
print(json.dumps(account is not None and used[account.group.key] > 0.1))
"""


@pytest.mark.parametrize("loadavg", ["0.50 0.40 0.30 1/80 140\n", "0.5 0.4 0.3 3/900 3141592\n"])
def test_a_new_process_is_named_in_the_very_next_window(loadavg: str, tmp_path: Path) -> None:
    assert alone(_WATCH.replace("LOADAVG", repr(loadavg)), tmp_path)
