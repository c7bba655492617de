"""What stands behind a program's name may be a secret: none of it is ever shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.ledger.naming.names import Name, Namer, base
from publisher.ledger.naming.programs import shipped


def describe(words: Sequence[str], comm: str, *, arguments: bool = False) -> Name:
    return Namer(arguments=arguments).describe(words, comm)


# Every way that we know of to hand an interpreter its program on the command line.
CODE = {
    "python3": ["-c", "-Ic", "-uc", "-IBsc", "-W ignore -c", "-X dev -uc", "-O -c"],
    "pypy3": ["-c", "-uc"],
    "perl": ["-e", "-E", "-ne", "-pe", "-lane", "-0777ne", "-i.bak -pe", "-Mstrict -e", "-F: -lane",
             "-MData::Dumper -we", "-I lib -e"],
    "ruby": ["-e", "-ne", "-pe", "-rjson -e", "-r json -ne", "-Ku -e", "-i.bak -pe"],
    "node": ["-e", "-p", "-pe", "--eval", "--print", "-r x -e", "--no-warnings -e",
             "--title x -p", "--input-type module -e"],
    "nodejs": ["-e", "-pe"],
    "bun": ["-e", "-p", "--eval", "--print", "--bun -e", "run -e"],
    "deno": ["eval", "eval -p", "repl --eval", "eval --ext=ts"],
    "php": ["-r", "-R", "-B", "-E", "-nr", "-d x=y -r", "--run", "--process-code", "-c /etc -r"],
    "lua": ["-e", "-l x -e", "-i -e"],
    "lua5.4": ["-e"],
    "luajit": ["-e", "-joff -e"],
    "Rscript": ["-e", "--vanilla -e"],
    "julia": ["-e", "-E", "--eval", "--print", "-p 4 -e", "-t4 -E", "--project -e"],
    "pwsh": ["-c", "-Command", "-C", "-comm", "-e", "-ec", "-EncodedCommand", "-NoProfile -Command",
             "-ExecutionPolicy Bypass -c", "-cwa", "--command"],
    "electron": ["-e", "-p"],
    "mono": ["--eval"], "dotnet": ["--eval"], "java": ["--execute"], "tclsh": ["-c"],
    "bash": ["-c", "-lc", "-euo pipefail -c", "-c --", "-ec", "-c -e", "--norc -c", "-O extglob -c",
             "-co pipefail"],
    "sh": ["-c", "-ec"], "zsh": ["-c", "-ic", "--emulate sh -c"], "tcsh": ["-c", "-fc"],
    "ksh": ["-c"],
    "fish": ["-c", "--command", "--no-config -c", "-C true -c", "--init-command", "-C"],
    "su": ["-c", "- bob -c", "--command"], "runuser": ["bob -c", "-u bob -- sh -c"],
    "flock": ["/run/lock -c"], "xargs": ["sh -c", "-n 1 python3 -c"],
    "sudo": ["python3 -c", "-u bob perl -ne", "sh -c", "-p"],
    "env": ["X=y node -e", "-S"],
    "strace": ["-f ruby -e", "-E"], "timeout": ["-k 5 9 php -R"],
    "systemd-run": ["--setenv", "-p", "--description"],
    # no interpreters to us: nothing that follows them is a name
    "awk": [""], "sed": ["-e", ""], "jq": [""], "psql": ["-c"], "osascript": ["-e"], "ssh": ["h"],
    "groovy": ["-e"], "guile": ["-c"], "elixir": ["--eval"], "sqlite3": ["x.db"],
}  # fmt: skip
# Complete names: a further word is an argument.
COMPLETE = [
    "python3 app.py", "python3 -m http.server", "python3 -u -W ignore x.py", "perl backup.pl",
    "ruby x.rb", "node server.js", "node /usr/lib/node_modules/npm/bin/npm-cli.js run build",
    "bun run build", "bun x.ts", "deno run main.ts", "deno task dev", "php artisan queue:work",
    "php -f x.php", "java -jar x.jar", "java -cp a:b org.example.Main", "pwsh -File x.ps1",
    "dotnet exec x.dll", "dotnet build", "lua x.lua", "julia x.jl", "Rscript x.R", "mono x.exe",
    "bash x.sh", "bash -x build", "sh /etc/cron.daily/backup", "fish x.fish",
    "npm run build", "npm install", "npm -s run build", "yarn build", "pnpm exec vite",
    "make -j8 all install", "uv run x.py", "git push", "git --no-pager log", "docker login",
    "kubectl get", "apt-get -y install", "openssl passwd", "mysql", "curl", "restic backup",
    "sudo -u bob mysql", "env X=y curl", "nice -n 5 make all install", "timeout 9 curl", "sshpass",
    "busybox wget", "flock -n /run/x rsync", "xargs -n 1 curl", "ansible", "vault", "ffmpeg",
    "/opt/x/run", "sh -c curl", "runuser -u bob -- curl", "cargo -q build", "tclsh x.tcl",
]  # fmt: skip
# Programs whose next words are read as options: what follows one that we do not know, or one
# that takes a value, is no name.
OPTIONS = {
    "python3": ["-W", "-X", "--unknown", "-Z", "-uW"], "perl": ["-I", "--unknown", "-Z"],
    "ruby": ["-I", "-r", "-C", "-E", "--unknown", "-Z"],
    "node": ["--title", "-r", "--import", "--unknown", "-Z"], "bun": ["--unknown", "--env-file"],
    "deno": ["--unknown", "run --cert", "run --unknown", "-Z"],
    "php": ["-S", "-t", "-d", "--unknown"], "lua": ["-l", "-Z"], "julia": ["-L", "--unknown"],
    "pwsh": ["-Unknown", "-WorkingDirectory"], "java": ["-cp", "--unknown", "--source"],
    "bash": ["--rcfile", "-o", "--unknown", "-xo"], "zsh": ["--unknown"], "fish": ["-C", "-d"],
    "git": ["-C", "-c", "--unknown"], "kubectl": ["-s", "-n", "-k", "--token", "--unknown"],
    "docker": ["-H", "--unknown", "-l"], "npm": ["--prefix", "--unknown"], "make": ["-C", "-f"],
    "apt-get": ["-o", "-c"], "ansible": ["-i", "-k", ""], "helm": ["--token", "-n", "-v", "-i"],
    "systemctl": ["-H", "-M", "-s"], "cargo": ["--unknown", "-Z"], "restic": ["-r", "-p"],
    "sudo": ["-u bob mysql -p"], "npx": ["--unknown"], "terraform": ["-k", "-i"],
}  # fmt: skip

secrets = st.from_regex(r"zq[a-z0-9]{2,12}jx", fullmatch=True)
DISGUISES = [
    "{}", "login('bob','{}')", "import x; x.go('{}')", "puts '{}'", "s/a/{}/", "s.foo.{}.",
    "{{print {}}}", 'f("{}")', "x={}; y", "--password={}", "--token {}", "bob:{}", "{}@host",
    "/tmp/{}", "-{}", "--{}", "{}.go()", "$({})", "'{}'", "https://{}@host/", "X=({} y)",
    "Connect {} -Now", "-p{}", "{}\nmake", "make # {}", "true {}",
]  # fmt: skip
PROGRAMS = ("{}", "/tmp/{}", "'{}'", "{}\nmake", "s.foo.{}.")  # to a shell
disguises = st.sampled_from(DISGUISES)
noise = st.lists(
    st.sampled_from(
        ["-v", "--x", "-p", "a", "b.txt", "--y=z", "--", "-", "run", "/etc/x", "-c", "-e", "-m"]
    ),
    max_size=4,
)


def shown(name: Name) -> str:
    return f"{name.label}\n{name.command}\n{name.program}\n{name.script}"


@settings(max_examples=500)
@given(st.sampled_from(COMPLETE), secrets, disguises, noise, noise)
def test_arguments_are_not_shown(
    command: str, secret: str, disguise: str, before: list[str], after: list[str]
) -> None:
    words = [*command.split(), *before, disguise.format(secret), *after]
    assert secret not in shown(describe(words, "x"))


@settings(max_examples=500)
@given(
    st.sampled_from([(program, way) for program, ways in CODE.items() for way in ways]),
    secrets,
    disguises.filter(lambda text: text not in PROGRAMS),
    noise,
)
def test_code_is_not_shown(
    start: tuple[str, str], secret: str, disguise: str, after: list[str]
) -> None:
    program, way = start
    words = [program, *way.split(), disguise.format(secret), *after]
    assert secret not in shown(describe(words, program[:15]))


@settings(max_examples=500)
@given(
    st.sampled_from([(program, way) for program, ways in OPTIONS.items() for way in ways]),
    secrets,
    disguises,
    noise,
)
def test_values_of_options_are_not_shown(
    start: tuple[str, str], secret: str, disguise: str, after: list[str]
) -> None:
    program, option = start
    words = [program, *option.split(), disguise.format(secret), *after]
    assert secret not in shown(describe(words, program[:15]))


@given(
    st.sampled_from(sorted(shipped().interpreters)),
    st.lists(st.from_regex(r"--?[A-Za-z]{1,6}", fullmatch=True), max_size=3),
    st.sampled_from(["login('{}')", "{} x", 'f("{}")', '$x = "{}"', "{};"]),
    secrets,
)
def test_no_options_whatever_make_code_a_name(
    program: str, options: list[str], code: str, secret: str
) -> None:
    for flags in (options, ["-x", *options], [*options, "-m"], [*options, "-jar"]):
        name = describe([program, *flags, code.format(secret)], program)
        assert secret not in shown(name)


# A line of shell with a secret where no command stands, and with one that does.
LINES = [
    "PASSWORD='a {}' make all", 'PASSWORD="a {}" make all', "PASSWORD=a\\ {} make all",
    "X=$(echo {} y) make all", "X=`echo {} y` make all", "X=${{Y:-a {}}} make all",
    'X="$(f "a {} b")" make all', "X=(a {}) make all", "[[ $x == {} && $y ]] && make all",
    "[ $x = {} ] && make all", "echo {} | make all", "echo x > {} && make all", "true &> {}; make",
    "> {} make all", "make all 2>&1 > {}", "read x <<< {}; make all", "true <<EOF\n{}\nEOF\nmake",
    "while read x; do echo $x; done <<E\n{}\nE\nmake", "# {}\nmake all", "make all # {}",
    "for x in a {}; do make all; done", "case $x in {}) make;; esac",
    "case $x in a|{}) true;; esac",
    "export X={}; make all", "exec 3< {}; make all", "(( {} + 1 )); make all", "X=$(( {} )) make",
    "echo $(true) {}; make all", "set -- {}; make all", "trap '{}' EXIT; make all",
    "X=$'a\\' {}' make all", 'curl -H "Bearer {}" x', "sshpass -p {} ssh x", "X='{}", 'X="a {}',
    "f() {{ echo {}; }}; f", "function f {{ echo {}; }}", "if test {}; then make all; fi",
    "printf %s {} | docker login", "until nc -z {} 1; do sleep 1; done", "echo \\\n {}\nmake all",
    "declare -A x=([{}]=y)", "x[{}]=y make all", "eval {}", ". {}", "cat <<-'E' > x\n{}\nE\n",
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
@given(secret=secrets, end=st.sampled_from(["", "; true", " && true", "\n"]))
@settings(max_examples=5)
def test_a_line_of_shell_is_named_by_its_command(line: str, secret: str, end: str) -> None:
    name = describe(["bash", "-c", line.format(secret) + end], "bash")
    assert secret not in shown(name)


@given(secrets, st.sampled_from(["{}", "[{}]", "(deploy {})", "-p {}", "-c '{}'"]))
def test_titles_do_not_show_what_follows_a_name(secret: str, disguise: str) -> None:
    detail = disguise.format(secret)
    for title, comm in (
        (f"gunicorn: master {detail}", "gunicorn: maste"),
        (f"postgres: bob db {detail}", "postgres"),
        (f"npm run deploy {detail}", "npm run deploy "),
        (f"npm install {detail}", "npm install pri"),
        (f"/usr/bin/averylongprogramname {detail}", "averylongprogra"),
        (f"python3 x.py {detail}", "python3"),
        (f"node {detail}", "MainThread"),
        (f"sidekiq 7 app {detail}", "bundle"),
    ):
        if title.startswith("node") and "(" not in detail and "[" not in detail:
            continue  # the name of its script
        for words in ([title], [title, ""], [title, detail]):
            assert secret not in shown(describe(words, comm))


@pytest.mark.parametrize(
    ("command", "label"),
    [
        ("mysql --password hunter", "mysql --password"),
        ("sshpass -p sesame ssh host", "sshpass -p"),
        ("sshpass -psesame ssh host", "sshpass"),
        ("htpasswd -b file alice sesame", "htpasswd -b"),
        ("wpa_passphrase network sesame", "wpa_passphrase"),
        ("rabbitmqctl add_user bob sesame", "rabbitmqctl"),
        ("vncserver --token sesame", "vncserver --token"),
        ("keytool -storepass sesame -list", "keytool"),
        ("openssl passwd sesame", "openssl passwd"),
        ("vault write auth-token sesame", "vault"),
        ("rsync -avz --delete home backup", "rsync -avz --delete home backup"),
    ],
)
def test_arguments_asked_for_are_shown_without_secrets(command: str, label: str) -> None:
    words = shlex.split(command)
    shown_ = describe(words, words[0], arguments=True).label
    assert "sesame" not in shown_
    assert "hunter" not in shown_
    assert shown_.startswith(label)


_MARKED = re.compile("⟨(.+?)⟩")
_SECRET_LINES = [
    line
    for line in Path(__file__).with_name("secret_lines.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize("arguments", [False, True])
def test_no_secret_of_the_labelled_lines_is_shown(arguments: bool) -> None:
    assert len(_SECRET_LINES) > 500
    namer, leaks = Namer(arguments=arguments), []
    for line in _SECRET_LINES:
        secrets = _MARKED.findall(line)
        assert secrets, line
        words = shlex.split(_MARKED.sub(r"\1", line))
        name = namer.describe(words, base(words[0])[:15])
        if any(secret in shown(name).removeprefix(words[0]) for secret in secrets):
            leaks.append((line, name.label))
    assert not leaks


@given(
    st.sampled_from(["mysql", "vncserver", "docker login", "python3 x.py", "git push", "openssl"]),
    st.sampled_from(
        ["--password", "--token", "--api-key", "-p", "--client-secret", "--pw", "passwd", "-P",
         "--auth", "-w", "--passphrase", "--PASSWORD", "-k", "set-password", "--credential"]
    ),
    secrets,
    noise,
)  # fmt: skip
def test_not_even_then_is_a_secret_shown(
    command: str, option: str, secret: str, after: list[str]
) -> None:
    words = [*command.split(), option, secret, *after]
    assert secret not in shown(describe(words, "x", arguments=True))


LABELS = {
    "python3 -Im http.server": "python -m http.server",
    "python3 -mhttp.server": "python -m http.server",
    "python3 -Wd -X dev app.py": "app.py",
    "python3 --unknown value app.py": "app.py",
    "python3 --unknown value": "python",
    "python3 'my script.py'": "python",
    "perl -I lib -w backup.pl": "backup.pl",
    "perl -MData::Dumper dump.pl": "dump.pl",
    "node --max-old-space-size=4096 server": "node server",
    "node --title x server.js": "server.js",
    "node /srv/node_modules/@nestjs/cli/bin/nest.js start": "nestjs",
    "bun run build": "bun run build",
    "bun run server.ts": "server.ts",
    "deno run -A --allow-net main.ts": "main.ts",
    "deno task dev": "deno task dev",
    "dotnet run --project x": "dotnet run",
    "php -S localhost:8000 -t public": "php",
    "php -f x.php": "x.php",
    "java -m app/org.example.Main": "example",
    "java -javaagent:x.jar -Xmx1g -ea org.example.Main": "example",
    "pwsh -NoProfile -File backup.ps1 -Password x": "backup.ps1",
    "fish --command 'make all'": "make all",
    "bash -euo pipefail -c 'make all'": "make all",
    "bash -c -- 'make all'": "make all",
    "sh -c 'FOO=\"a b\" make all > out 2>&1'": "make all",
    "sh -c 'if [[ -f x && -n $y ]]; then make all; fi'": "make all",
    "sh -c 'X=$(date +%s) time -p make all'": "make all",
    "runuser -u bob -- make all": "make all",
    "runuser bob -c 'make all'": "make all",
    "npm install left-pad": "npm install",
    "kubectl -s db.corp.lan:6443 get": "kubectl",
    "ansible -i inventory all": "ansible",
    "make -s -C x all": "make",
    "cargo -q build": "cargo build",
}


@pytest.mark.parametrize(("command", "label"), LABELS.items())
def test_names_are_still_found(command: str, label: str) -> None:
    words = shlex.split(command)
    assert describe(words, words[0][:15]).label == label
