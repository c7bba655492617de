"""Containers and units from cgroup paths, as their runtimes make them."""

from __future__ import annotations

import pytest

from publisher.contract.readings import GroupKind
from publisher.ledger.naming.cgroup_names import place_of

ID = "4f9c2d0e8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d"
C, U = GroupKind.CONTAINER, GroupKind.UNIT

PLACES = {
    f"/docker/{ID}": (C, "docker", ID, f"docker {ID[:12]}"),
    f"/system.slice/docker-{ID}.scope": (C, "docker", ID, f"docker {ID[:12]}"),
    f"/system.slice/docker-{ID}.scope/init.scope": (C, "docker", ID, f"docker {ID[:12]}"),
    f"/machine.slice/libpod-{ID}.scope/container": (C, "podman", ID, f"podman {ID[:12]}"),
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope": (
        C, "podman", ID, f"podman {ID[:12]}"),
    f"/libpod_parent/libpod-{ID}": (C, "podman", ID, f"podman {ID[:12]}"),
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/"
    f"cri-containerd-{ID}.scope": (C, "containerd", ID, f"containerd {ID[:12]}"),
    f"/kubepods/besteffort/pod8f-1/{ID}": (C, "containerd", ID, f"containerd {ID[:12]}"),
    f"/kubepods.slice/kubepods-pod1.slice/crio-{ID}.scope": (C, "cri-o", ID, f"cri-o {ID[:12]}"),
    f"/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{ID}": (
        C, "containerd", ID, f"containerd {ID[:12]}"),
    "/lxc/web": (C, "lxc", "web", "web"),
    "/lxc.payload.web/system.slice/nginx.service": (C, "lxc", "web", "web"),
    "/lxc.payload/101/init.scope": (C, "lxc", "101", "101"),
    "/machine.slice/systemd-nspawn@deb.service/payload": (C, "nspawn", "deb", "deb"),
    "/qemu.slice/100.scope": (C, "qemu", "100", "100"),
    f"/ecs/cluster/task/{ID}": (C, "docker", ID, f"docker {ID[:12]}"),
    "/nomad.slice/share.slice/89e48bd0-e1c7-0812-d0ec-bd71a8f58dd2.web.scope": (
        C, "nomad", "89e48bd0-e1c7-0812-d0ec-bd71a8f58dd2.web", "web"),
    r"/system.slice/caf\xc3\xa9.service": (U, "systemd", "caf\u00e9.service", "caf\u00e9"),
    r"/machine.slice/machine-deb\x2d12.scope": (C, "nspawn", "deb-12", "deb-12"),
    r"/machine.slice/machine-qemu\x2d3\x2dwin10.scope/libvirt": (C, "qemu", "win10", "win10"),
    "/machine/qemu-5-test.libvirt-qemu/emulator": (C, "qemu", "test", "test"),
    "/machine/prod.partition/guest7.libvirt-qemu/vcpu1": (C, "qemu", "guest7", "guest7"),
    "/machine/lxc-1268-sl.libvirt-lxc": (C, "lxc", "sl", "sl"),
    "/system.slice/jellyfin.service": (U, "systemd", "jellyfin.service", "jellyfin"),
    "/system.slice/system-getty.slice/postgresql@15-main.service": (
        U, "systemd", "postgresql@15-main.service", "postgresql@15-main"),
    "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-1234.scope": (
        U, "systemd", "app-firefox-1234.scope", "firefox"),
    "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-org.mozilla.firefox-9.scope":
        (U, "systemd", "app-gnome-org.mozilla.firefox-9.scope", "firefox"),
    r"/user.slice/u/user@1000.service/app.slice/app-flatpak-com.spotify.Client-77.scope": (
        U, "systemd", "app-flatpak-com.spotify.Client-77.scope", "Client"),
    "/user.slice/u/user@1000.service/app.slice/snap.firefox.firefox-9f1c.scope": (
        U, "systemd", "snap.firefox.firefox-9f1c.scope", "firefox"),
}  # fmt: skip


@pytest.mark.parametrize("path", PLACES)
def test_places(path: str) -> None:
    place = place_of(path)
    assert place is not None
    assert (place.kind, place.runtime, place.identity, place.label) == PLACES[path]
    assert path.startswith(place.anchor)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/init.scope",
        "/user.slice/user-1000.slice/session-3.scope",
        "/user.slice/user-1000.slice/user@1000.service/init.scope",
        "/system.slice/cron.service",
        "/system.slice/ssh.service",
        "/system.slice/sshd@3-10.0.0.1:22-10.0.0.2:5.service",
        "/system.slice/run-r1b2.scope",
        "/user.slice/u/user@1000.service/tmux-spawn-1f.scope",
        "/user.slice/u/user@1000.service/app.slice/vte-spawn-1f.scope",
        "/somebody/elses/folder",
        "/docker/short",
    ],
)
def test_places_that_only_lend_room(path: str) -> None:
    assert place_of(path) is None


@pytest.mark.parametrize(
    ("path", "inner", "unit", "anchor"),
    [
        (
            "/lxc/112/ns/system.slice/immich.service",
            "immich.service",
            "immich.service",
            "/lxc/112/ns/system.slice/immich.service",
        ),
        ("/lxc/112/ns/init.scope", "", "", "/lxc/112"),
        ("/lxc/112/ns/system.slice/cron.service", "", "", "/lxc/112"),
        ("/lxc/112/ns/user.slice/user-0.slice/session-3.scope", "", "", "/lxc/112"),
        (
            "/lxc.payload.web/system.slice/system-php.slice/php8.2-fpm.service",
            "php8.2-fpm.service",
            "php8.2-fpm.service",
            "/lxc.payload.web/system.slice/system-php.slice/php8.2-fpm.service",
        ),
        (
            f"/lxc/112/ns/system.slice/docker-{ID}.scope",
            f"docker-{ID}",
            "",
            f"/lxc/112/ns/system.slice/docker-{ID}.scope",
        ),
        (
            "/machine.slice/systemd-nspawn@deb.service/payload/system.slice/nginx.service",
            "nginx.service",
            "nginx.service",
            "/machine.slice/systemd-nspawn@deb.service/payload/system.slice/nginx.service",
        ),
        (
            "/system.slice/jellyfin.service",
            "",
            "jellyfin.service",
            "/system.slice/jellyfin.service",
        ),
    ],
)
def test_what_runs_inside_a_container_with_a_system_of_its_own(
    path: str, inner: str, unit: str, anchor: str
) -> None:
    place = place_of(path)
    assert place is not None
    assert (place.inner, place.unit, place.anchor) == (inner, unit, anchor)
