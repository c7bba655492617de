"""What is run by an interpreter, a launcher or a wrapper, and what that is called."""

from __future__ import annotations

import shlex

import pytest

from publisher.ledger.naming.generic import folder_of, is_generic, plain_class
from publisher.ledger.naming.names import Name, Namer, in_folder
from publisher.ledger.naming.words import presentable, program_of_comm


def describe(command: str) -> Name:
    words = shlex.split(command)
    return Namer().describe(words, words[0].rpartition("/")[2][:15])


@pytest.mark.parametrize(
    ("command", "label", "script", "interpreter"),
    [
        ("java -jar -Xmx2G paper.jar nogui", "paper.jar", "paper.jar", "java"),
        ("java -Dsolr.solr.home=/x -jar start.jar", "solr", "solr/start.jar", "java"),
        (
            "java -Dkc.home.dir=/opt/keycloak/bin/.. io.quarkus.bootstrap.runner.QuarkusEntryPoint",
            "keycloak",
            "keycloak/io.quarkus.bootstrap.runner.QuarkusEntryPoint",
            "java",
        ),
        (
            "java -cp /opt/i2p/lib/wrapper.jar:x org.tanukisoftware.wrapper.WrapperSimpleApp",
            "i2p",
            "i2p/org.tanukisoftware.wrapper.WrapperSimpleApp",
            "java",
        ),
        (
            "java -cp x.jar a.wrapper.WrapperSimpleApp org.frob.boot.JswLauncher y.xml",
            "JswLauncher",
            "org.frob.boot.JswLauncher",
            "java",
        ),
        (
            "platform-python -s /usr/sbin/firewalld --nofork",
            "firewalld",
            "firewalld",
            "platform-python",
        ),
        ("guile /usr/bin/guix-daemon", "guix-daemon", "guix-daemon", "guile"),
        ("java -Djetty.home=/x -jar start.jar", "start.jar", "start.jar", "java"),
        ("wish /home/bob/amsn/amsn", "amsn", "amsn", "wish"),
        ("php-cgi /srv/webmail/index.php", "webmail", "webmail/index.php", "php-cgi"),
        (
            "java -Dx=y -jar -Xms1G -Dfile.encoding=UTF-8 paper.jar",
            "paper.jar",
            "paper.jar",
            "java",
        ),
        (
            "java -Dcatalina.home=/x -cp a.jar:b.jar org.apache.catalina.startup.Bootstrap start",
            "tomcat",
            "org.apache.catalina.startup.Bootstrap",
            "java",
        ),
        (
            "java -cp x org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg",
            "QuorumPeerMain",
            "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            "java",
        ),
        ("java -cp x kafka.Kafka server.properties", "Kafka", "kafka.Kafka", "java"),
        (
            "java @user_args.txt @libraries/net/minecraftforge/forge/1.20-47.2/unix_args.txt nogui",
            "forge",
            "net.minecraftforge.forge",
            "java",
        ),
        ("java -Xmx1G nogui", "java", "", ""),
        ("java -Dproc_namenode -Xmx2048m -Dx.y=z", "namenode", "namenode", "java"),
        ("java -Xmx2G -Dkafka.logs.dir=/var/log/kafka", "kafka", "kafka", "java"),
        ("java -jar /opt/minecraft/server.jar", "minecraft", "minecraft/server.jar", "java"),
        ("dotnet /app/Radarr.dll", "Radarr", "Radarr.dll", "dotnet"),
        ("dotnet exec --runtimeconfig a.json Jellyfin.dll", "Jellyfin", "Jellyfin.dll", "dotnet"),
        ("mono-sgen --debug /opt/Sonarr/Sonarr.exe -x", "Sonarr", "Sonarr.exe", "mono-sgen"),
        ("node /opt/zigbee2mqtt/index.js", "zigbee2mqtt", "zigbee2mqtt/index.js", "node"),
        ("node /opt/homebox/dist/main.js", "homebox", "homebox/main.js", "node"),
        ("node /srv/app/server.js", "server.js", "server.js", "node"),
        ("node /home/bob/index.js", "index.js", "index.js", "node"),
        (
            "node /x/node_modules/@google/gemini-cli/dist/index.js",
            "gemini-cli",
            "gemini-cli",
            "node",
        ),
        ("node /x/node_modules/@angular/cli/bin/ng.js serve", "angular", "angular", "node"),
        ("electron /usr/lib/slack/resources/app.asar", "slack", "slack/app.asar", "electron"),
        ("python3 /opt/ComfyUI/main.py", "ComfyUI", "ComfyUI/main.py", "python"),
        ("python3 /home/bob/sync_photos.py", "sync_photos.py", "sync_photos.py", "python"),
        (
            "python3 -m vllm.entrypoints.openai.api_server --model x",
            "python -m vllm.entrypoints.openai.api_server",
            "vllm.entrypoints.openai.api_server",
            "python",
        ),
        ("php /var/www/nextcloud/occ files:scan", "occ", "occ", "php"),
        ("dotnet watch run", "dotnet watch", "watch", "dotnet"),
        ("/bin/bash /root/nightly.sh", "nightly.sh", "nightly.sh", "bash"),
        ("sudo ./nightly.sh", "nightly.sh", "nightly.sh", "sh"),
        ("uv run --with numpy train.py", "train.py", "train.py", "python"),
        ("uv run python -m train", "python -m train", "train", "python"),
        ("poetry run python train.py", "train.py", "train.py", "python"),
        ("conda run -n ml --no-capture-output python train.py", "train.py", "train.py", "python"),
        (
            "torchrun --nproc_per_node 4 train_gpt.py --lr 3",
            "train_gpt.py",
            "train_gpt.py",
            "python",
        ),
        ("accelerate launch --config_file a.yaml tune.py", "tune.py", "tune.py", "python"),
        ("deepspeed --num_gpus 2 ds.py --deepspeed x.json", "ds.py", "ds.py", "python"),
        ("python3 -m torch.distributed.run --nnodes 2 train.py", "train.py", "train.py", "python"),
        ("python3 /usr/bin/torchrun --standalone train.py", "train.py", "train.py", "python"),
        ("mpirun -np 4 --mca btl tcp,self python3 sim.py", "sim.py", "sim.py", "python"),
        ("nodemon --watch src worker2.js", "worker2.js", "worker2.js", "node"),
        ("node /x/node_modules/nodemon/bin/nodemon.js api2.js", "api2.js", "api2.js", "node"),
        ("beam.smp -W w -- -sname ejabberd@localhost", "ejabberd", "ejabberd", "beam.smp"),
        ("beam.smp -sname rabbit@host -setcookie zqsecret", "rabbitmq", "rabbitmq", "beam.smp"),
        ("/opt/shop/rel/shop/erts-15.2/bin/beam.smp -W w", "shop", "shop", "beam.smp"),
        (
            "python -m SimpleHTTPServer 2222",
            "python -m SimpleHTTPServer",
            "SimpleHTTPServer",
            "python",
        ),
        ("bash /var/spool/pbs/mom_priv/jobs/44512.pbs.SC", "PBS job 44512", "44512.pbs.SC", "bash"),
        ("docker exec -u www -it shop python3 /srv/feed2.py", "feed2.py", "feed2.py", "python"),
        ("beam.smp -- -root /opt/emqx -name x@y", "emqx", "emqx", "beam.smp"),
    ],
)
def test_scripts(command: str, label: str, script: str, interpreter: str) -> None:
    name = describe(command)
    assert (name.label, name.script, name.interpreter) == (label, script, interpreter)


@pytest.mark.parametrize(
    ("command", "label"),
    [
        ("bundle exec puma -C config/puma.rb", "puma"),
        ("bundle install", "bundle install"),
        ("docker exec -u postgres shop_db pg_dump -U shop shop", "pg_dump"),
        ("podman exec db mysqldump --all-databases", "mysqldump"),
        ("lxc exec web -- nginx -t", "nginx"),
        ("docker run -d nginx", "docker run"),
        ("coreutils --coreutils-prog-shebang=sleep /usr/bin/sleep 1", "sleep"),
        ("coreutils --coreutils-prog=sha256sum disk.img", "sha256sum"),
        ("npx vite build", "vite build"),
        ("npx -y create-app", "create-app"),
        ("uv sync", "uv sync"),
        ("restic -r /srv/x --password-file /root/p backup /home", "restic backup"),
        ("poetry install", "poetry install"),
        ("srun -n 4 --pty ./lammps", "lammps"),
        ("mpirun -np 4 --hostfile hosts ./solver -x", "solver"),
        ("watch -n 5 'nvidia-smi | head'", "nvidia-smi"),
        ("watch df -h", "df"),
        ("parallel -j4 gzip ::: a b c", "gzip"),
        ("perl /usr/bin/parallel --jobs 4 ffmpeg -i {} ::: a", "ffmpeg"),
        ("script -qc 'make all' /dev/null", "make all"),
        ("chronic /usr/local/bin/nightly.sh", "nightly.sh"),
        ("systemd-cat -t x rsync -a a b", "rsync"),
        ("faketime '2020-01-01' make", "make"),
        ("bwrap --ro-bind / / --dev /dev --unshare-all sh -c 'make all'", "make all"),
        ("firejail --net=none firefox", "firefox"),
        ("proot -r /x -b /dev make", "make"),
        ("cpulimit -l 50 -- ffmpeg -i x", "ffmpeg"),
        ("proxychains4 -q curl x", "curl"),
        ("torsocks curl x", "curl"),
        ("schedtool -D -n 19 -e make -j4", "make -j4"),
        ("entr -r make test", "make test"),
        ("gamemoderun ./Game.x86_64", "Game.x86_64"),
        ("mangohud --dlsym supertuxkart", "supertuxkart"),
        ("prime-run blender x", "blender"),
        ("gosu postgres postgres -D x", "postgres"),
        ("s6-setuidgid abc python3 /x/bazarr.py", "bazarr.py"),
        ("/lib64/ld-linux-x86-64.so.2 --library-path /x /usr/bin/foo", "foo"),
        ("wine /games/Foo/Game.exe", "Game.exe"),
        (r"/usr/bin/wine64-preloader /usr/bin/wine64 'Z:\games\Foo.exe'", "Foo.exe"),
        (
            "python3 /s/proton waitforexitandrun '/g/Hollow Knight/hollow knight.exe'",
            "hollow knight.exe",
        ),
        ("reaper SteamLaunch AppId=1 -- /s/proton run /g/x.exe", "x.exe"),
        ("qemu-system-x86_64 -m 4 -name guest=win10,debug-threads=on", "win10"),
        ("/usr/bin/kvm -id 100 -name homeassistant,debug-threads=on", "homeassistant"),
        ("VBoxHeadless --comment devbox --startvm 1", "devbox"),
        ("/usr/lib/virtualbox/VirtualBoxVM --comment 'lubuntu 21' --startvm 1", "lubuntu 21"),
        ("/usr/local/sbin/qemu -name 'guest=Windows 11,debug-threads=on' -S", "Windows 11"),
        ("/usr/libexec/qemu-kvm -name a,,b", "qemu-kvm"),
        ("qemu-system-x86_64 -S -name shop_web -readconfig /run/incus/shop_web/qemu.conf", "web"),
        ("qemu-system-x86_64 -name shop_web", "shop_web"),
        ("qemu-system-x86_64 -name guest=instance-0001f2a3", "qemu-system-x86_64"),
        ("/opt/kata/bin/qemu-system-x86_64 -name sandbox-4f9c2d0e8b7a6c5d", "qemu-system-x86_64"),
        ("firecracker --id=web --api-sock /run/web.sock", "web"),
        ("firecracker --api-sock /run/x.sock --id anonymous-instance", "firecracker"),
        ("vmware-vmx -@ duplex=3 '/home/bob/vmware/Win 10/Windows 10 x64.vmx'", "Windows 10 x64"),
    ],
)
def test_who_is_looked_through(command: str, label: str) -> None:
    assert describe(command).label == label


@pytest.mark.parametrize(
    "command",
    [
        "uv run --unknown zqsecretjx",
        "uv run --unknown zqsecretjx x.py",
        "doppler run --token zqsecretjx -- make",
        "torchrun --rdzv_id zqsecretjx train.py",
        "beam.smp -setcookie zqsecretjx -sname x@y",
        "qemu-system-x86_64 -vnc zqsecretjx -name a",
        "runitor -ping-key zqsecretjx -- make",
        "mpirun --unknown zqsecretjx ./x",
        "bwrap --setenv TOKEN zqsecretjx make",
        "accelerate launch --hub_token zqsecretjx tune.py",
        "conda run --unknown zqsecretjx python x.py",
        "node /x/node_modules/pm2/bin/pm2 start x --token zqsecretjx",
    ],
)
def test_a_value_behind_a_launchers_option_is_not_shown(command: str) -> None:
    name = describe(command)
    assert "zqsecretjx" not in f"{name.program} {name.command} {name.label} {name.script}"


def test_a_vague_script_is_called_by_the_folder_it_runs_in() -> None:
    name = describe("node dist/index.js")
    assert (name.label, name.vague) == ("index.js", "dist/index.js")
    placed = in_folder(name, "/opt/zigbee2mqtt")
    assert (placed.label, placed.script) == ("zigbee2mqtt", "zigbee2mqtt/index.js")
    assert in_folder(name, "/home/bob") == name, "a person's name"
    assert in_folder(name, "") == name
    clear = describe("node sync.js")
    assert in_folder(clear, "/opt/zigbee2mqtt") == clear


def test_names_that_say_nothing() -> None:
    assert is_generic("index.js")
    assert is_generic("__main__.py")
    assert not is_generic("train.py")
    assert folder_of("/opt/frigate/v0.14/src/main.py") == "frigate"
    assert folder_of("/usr/src/app/main.py") == ""
    assert folder_of("/srv/.hidden/main.py") == ""
    assert plain_class("org.example.Main") == "example"
    assert plain_class("Main") == "Main"
    assert plain_class("com.foo.Bar$Inner") == "Bar"


@pytest.mark.parametrize(
    "name",
    [
        "vllm.entrypoints.openai.api_server",
        "org.springframework.boot.loader.launch.JarLauncher",
        "convert-all-the-family-photos-2024.sh",
        "networkd-dispatcher-with-long-name-here",
    ],
)
def test_a_long_name_of_words_is_a_name(name: str) -> None:
    assert presentable(name)


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
        "550e8400-e29b-41d4-a716-446655440000",
        "550e8400-e29b-41d4-a716-446655440000.sh",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0",
        "d41d8cd98f00b204e9800998ecf8427e",
        "sk-proj-abcdefGHIJKLmnop12345678abcd",
        "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
        "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
        "QmFzZVNpeHR5Rm91ckRhdGFGb3I",
        "qxzkwvbt-mnrplkjh-gfdswqcv-bnmzxlkq",
        "a" * 33,
    ],
)
def test_a_random_string_is_a_secret(secret: str) -> None:
    assert not presentable(secret)


@pytest.mark.parametrize(
    ("comm", "program"),
    [
        ("PM2 v5.3.0: God", "PM2"),
        ("amavisd (ch5-av", "amavisd"),
        ("node /srv/app/in", "node"),
        ("kworker/0:2", "kworker"),
        ("npm run build", "npm run build"),
        ("Plex Media Serv", "Plex Media Serv"),
        ("/usr/sbin/amavi", "amavi"),
        ("(sd-pam)", "(sd-pam)"),
        ("python3.11", "python"),
        ("-bash", "bash"),
        ("Isolated Web Co", "Isolated Web Co"),
        ("resque-2.6.0: W", "resque"),
    ],
)
def test_what_the_kernel_keeps_of_a_title(comm: str, program: str) -> None:
    assert program_of_comm(comm) == program
