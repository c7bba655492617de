"""The resident process: ``python -m publisher.daemon DESCRIPTOR``, started by ``fanwhy-pub run``.

A process of its own, so that what the command line needs (typer, pydantic, rich) is not resident.
"""

from __future__ import annotations

import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterable

from publisher.config.state_folder import state_dir
from publisher.daemon import signals
from publisher.daemon.app import App
from publisher.daemon.launch import Launch
from publisher.daemon.lock import Claim
from publisher.daemon.voice import Voice, formatter_for
from publisher.errors import FanwhyError


def main(launch: Launch) -> int:
    """Runs the daemon until a signal ends it; the exit code."""
    voice = Voice()
    voice.setFormatter(formatter_for(sys.stderr.fileno()))
    logging.basicConfig(level=launch.settings.log_level.upper(), handlers=[voice])
    logging.addLevelName(logging.INFO, "fanwhy:")
    logging.addLevelName(logging.WARNING, "fanwhy: warning:")
    logging.addLevelName(logging.ERROR, "fanwhy: error:")
    claim: Claim | None = None
    try:
        home = state_dir()
        if home:
            claim = Claim(home)
            voice.addFilter(claim)
        app = App(launch, home=home, claim=claim, voice=voice)
        del launch  # a reload puts another one in its place
        signal.set_wakeup_fd(app.wake_descriptor, warn_on_full_buffer=False)
        _on(("SIGTERM", "SIGINT", "SIGBREAK"), app.stop)
        _on(("SIGHUP",), app.reload)
        signals.let_in()
        # What was loaded and built so far stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        return app.run()
    except FanwhyError as error:
        voice.say(f"fanwhy-pub: {error}")
        return error.exit_code
    except Exception as error:  # a mistake of ours; what follows is for a report of it
        logging.getLogger(__name__).debug("unexpected", exc_info=True)
        voice.say(
            f"fanwhy-pub: unexpected {type(error).__name__}: {error!s:.200}; "
            "this is a bug of fanwhy, FANWHY_LOG_LEVEL=debug shows more"
        )
        return 1
    finally:
        if claim is not None:
            claim.close()
        voice.close()


def _on(names: Iterable[str], action: Callable[[], None]) -> None:
    """Has those of these signals that this system knows do something."""
    for name in names:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, lambda *_: action())


if __name__ == "__main__":
    sys.exit(main(Launch.take_over(int(sys.argv[1]))))
