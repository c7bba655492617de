"""The application that a server or a worker of Python's carries."""

from __future__ import annotations

import pytest

from publisher.ledger.naming.names import Namer


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (
            ("python3", "/usr/local/bin/uvicorn", "open_webui.main:app", "--port", "80"),
            "open_webui",
        ),
        (("uvicorn", "--workers", "2", "frob.api:create()"), "frob"),
        (("python3", "/usr/bin/gunicorn", "-b", "0.0.0.0:80", "netbox.wsgi"), "netbox"),
        (("python", "-m", "celery", "-A", "authentik.root.celery", "worker"), "authentik"),
        (("python3", "/usr/bin/celery", "--app=paperless", "worker"), "paperless"),
        (("gunicorn: worker [paperless.asgi:application]",), "paperless"),
        (("[celeryd: celery@a:MainProcess] -active- (-A paperless worker)",), "paperless"),
    ],
)
def test_it_goes_by_the_application(words: tuple[str, ...], label: str) -> None:
    assert Namer().describe(words, "python3").label == label


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (("python3", "/usr/bin/gunicorn", "-b", "0.0.0.0:80", "main:app"), "gunicorn"),
        (("uvicorn", "config.asgi:application"), "uvicorn"),
        (("gunicorn: worker [hunter2]",), "gunicorn"),
        (("celery", "worker"), "celery"),
    ],
)
def test_what_says_nothing_leaves_it_to_the_server(words: tuple[str, ...], label: str) -> None:
    assert Namer().describe(words, "python3").label == label
