"""Titles that daemons write in place of their command line: the program's name stays the same."""

from __future__ import annotations

import pytest

from publisher.ledger.naming.names import Namer

TITLES = [
    ("postgres: 15/main: walwriter", "postgres", "postgres"),
    ("postgres: bob shop [local] idle", "postgres", "postgres"),
    ("nginx: worker process", "nginx", "nginx"),
    ("nginx: master process /usr/sbin/nginx -g daemon on;", "nginx", "nginx"),
    ("php-fpm: pool www", "php-fpm8.2", "php-fpm"),
    ("sshd: bob [priv]", "sshd", "sshd"),
    ("puma 6.4.0 (tcp://0.0.0.0:3000) [app]", "ruby", "puma"),
    ("puma: cluster worker 0: 123 [app]", "ruby", "puma"),
    ("sidekiq 7.1.2 myapp [0 of 5 busy]", "bundle", "sidekiq"),
    ("sidekiq 7.1.2 myapp [5 of 5 busy]", "ruby", "sidekiq"),
    ("resque-2.6.0: Waiting for high,low", "ruby", "resque"),
    ("unicorn master -c config/unicorn.rb -D", "ruby", "unicorn"),
    ("unicorn worker[0] -c config/unicorn.rb", "ruby", "unicorn"),
    ("Passenger RubyApp: /srv/app (production)", "ruby", "passenger"),
    ("ruby: sidekiq", "ruby", "sidekiq"),
    ("amavisd (ch5-avail)", "amavisd (ch5-av", "amavisd"),
    ("amavisd (master)", "/usr/sbin/amavi", "amavisd"),
    ("spamd child", "spamd child", "spamd"),
    ("/usr/sbin/spamd child", "/usr/sbin/spamd", "spamd"),
    ("pveproxy worker (shutdown)", "pveproxy worker", "pveproxy"),
    ("gunicorn: master [app]", "gunicorn", "gunicorn"),
    ("gunicorn: worker [app]", "gunicorn: worke", "gunicorn"),
    ("[ready] gunicorn: worker [airflow-webserver]", "gunicorn: worke", "gunicorn"),
    ("[celeryd: celery@host:MainProcess] -active- (worker -A x)", "python3", "celery"),
    ("salt-minion: MultiMinionProcessManager", "python3", "salt-minion"),
    ("[postal] worker", "ruby", "postal"),
    ("rq:worker:4102a3d37e4c4e9daa86101e7041a892: Listening on shop,dkim", "python3", "rq"),
    ("ray::IDLE", "ray::IDLE", "ray"),
    ("VLLM::EngineCore", "VLLM::EngineCor", "vllm"),
    ("uWSGI worker 1", "uwsgi", "uwsgi"),
    ("dovecot/imap", "imap", "dovecot"),
    ("dovecot/imap-login: [10.0.0.3]", "imap-login", "dovecot"),
    ("smbd: client [10.0.0.3]", "smbd", "smbd"),
    ("avahi-daemon: running [host.local]", "avahi-daemon", "avahi-daemon"),
    ("rspamd: rspamd_proxy process", "rspamd", "rspamd"),
    ("proftpd: bob - host: IDLE", "proftpd", "proftpd"),
    ("puppet agent: applying configuration", "puppet", "puppet"),
    ("tmux: server", "tmux: server", "tmux"),
    ("PM2 v5.3.0: God Daemon (/root/.pm2)", "PM2 v5.3.0: God", "PM2"),
    ("next-server (v14.1.0)", "next-server (v1", "next-server"),
    ("(sd-pam)", "(sd-pam)", "(sd-pam)"),
    ("npm run build", "npm run build", "npm run build"),
    ("[postal] worker", "ruby", "postal"),
    ("[lxc monitor] /var/lib/lxc web", "lxc-start", "lxc-start"),
    ("Plex Plug-in [com.plexapp.system]", "Plex Script Hos", "Plex Script Hos"),
    ("/usr/lib/plexmediaserver/Plex Media Server", "Plex Media Serv", "Plex Media Server"),
    (r"C:\Program Files\Foo\Foo Game.exe", "Foo Game.exe", "Foo Game.exe"),
]


@pytest.mark.parametrize(("title", "comm", "program"), TITLES)
def test_the_program_in_a_title(title: str, comm: str, program: str) -> None:
    namer = Namer()
    name = namer.describe([title], comm)
    assert (name.program, name.label) == (program, program) or program == "npm run build"
    assert namer.running(name, [title], comm) == program


@pytest.mark.parametrize(
    ("words", "comm", "program"),
    [
        ("puma 6.4.0 (tcp://0.0.0.0:3000) [app]", "ruby", "puma"),
        ("Passenger RubyApp: /srv/app (production)", "ruby", "passenger"),
        ("[celeryd: celery@host:MainProcess]", "python3", "celery"),
        ("nginx: worker process", "nginx", "nginx"),
        ("sshd: bob [priv]", "sshd", "sshd"),
        ("python3 puma.py", "python3", "python"),
        ("ruby puma", "ruby", "ruby"),
        ("puma", "puma", "puma"),
    ],
)
def test_a_title_may_be_told_in_several_words(words: str, comm: str, program: str) -> None:
    namer = Namer()
    name = namer.describe(words.split(), comm)
    assert namer.running(name, words.split(), comm) == program


@pytest.mark.parametrize(
    ("title", "comm", "label", "script"),
    [
        ("node /srv/shop/index.js", "node /srv/shop/", "shop", "shop/index.js"),
        ("node /srv/worker.js", "node /srv/worke", "worker.js", "worker.js"),
        ("python3 /srv/nightly.py", "python3", "nightly.py", "nightly.py"),
    ],
)
def test_a_title_may_be_a_command_line(title: str, comm: str, label: str, script: str) -> None:
    namer = Namer()
    name = namer.describe([title], comm)
    assert (name.label, name.script) == (label, script)
    assert namer.running(name, [title], comm) == title.split(maxsplit=1)[0].rstrip("3")


@pytest.mark.parametrize(
    "title",
    [
        "postgres: zqsecretjx db idle",
        "x zqsecretjx: y",
        "worker: zqsecretjx",
        "/opt/a b: zqsecretjx",
        "puma zqsecretjx",
        "[celeryd: zqsecretjx] x",
        "ruby: zqsecretjx",
        "ray::zqsecretjx",
    ],
)
def test_what_follows_the_name_is_not_shown(title: str) -> None:
    name = Namer().describe([title], "x")
    assert "zqsecretjx" not in f"{name.program} {name.command} {name.label} {name.script}"
