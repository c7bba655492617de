"""Descriptors that whoever starts us has closed."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LOOK = """
import os
from publisher.daemon import descriptors
descriptors.fill()
os.write(2, b"")
kept = os.open("/dev/null", os.O_RDONLY)
os.execv(SEES, (SEES, "-c", f"import os; [os.fstat(n) for n in (0, 1, 2)]; exit({kept} < 3)"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no descriptors there that a shell could close")
@pytest.mark.parametrize("closed", ["0<&-", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_what_is_closed_is_no_file_of_ours(closed: str) -> None:
    look = _LOOK.replace("SEES", repr(sys.executable))
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, look], check=False
    )
    assert done.returncode == 0
