"""What an import of the session may load: the daemon's resident memory."""

from __future__ import annotations

import subprocess
import sys


def test_a_plain_connection_loads_nothing_that_it_never_calls() -> None:
    program = (
        "import sys; import publisher.mqtt.session; import publisher.mqtt.paho as l; "
        "heavy = {'ssl', 'hashlib', 'urllib.request', 'http.client', 'email', 'asyncio'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "assert not [n for n, m in sys.modules.items() if m is None and 'paho' not in n]; "
        "l.complete(); import paho.mqtt.client as c, ssl; assert c.ssl is ssl; "
        "import urllib.request, hashlib; urllib.request.Request; hashlib.sha1"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
