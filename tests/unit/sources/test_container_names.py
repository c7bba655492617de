"""What is left of a container's name once what only tells copies apart is taken off."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from publisher.sources.container_names import of_pod, plain_name

UUID = "89e48bd0-e1c7-0812-d0ec-bd71a8f58dd2"


@pytest.mark.parametrize(
    ("name", "labels", "plain"),
    [
        ("jellyfin", {}, "jellyfin"),
        ("tender_bose", {}, ""),
        ("xenodochial_kapitsa7", {}, ""),
        ("happy-db", {}, "happy-db"),
        ("nextcloud_db", {}, "nextcloud_db"),
        (
            "shop-postgres-1",
            {"com.docker.compose.project": "shop", "com.docker.compose.service": "postgres"},
            "shop-postgres",
        ),
        (
            "immich_server",
            {"com.docker.compose.project": "immich", "com.docker.compose.service": "server"},
            "immich_server",
        ),
        (
            "immich-immich-server-1",
            {
                "com.docker.compose.project": "immich",
                "com.docker.compose.service": "immich-server",
            },
            "immich-server",
        ),
        ("immich-server-6d4cf56db6-x2x7k", {}, "immich-server"),
        ("0123456789ab_jellyfin", {}, "jellyfin"),
        ("k8s_POD_immich-server-6d4cf56db6-x2x7k_media_1f2e_0", {}, "immich-server"),
        ("k8s_server_immich-6d4cf56db6-x2x7k_media_1f2e_3", {}, "immich/server"),
        ("ecs-web-3-nginx-a8f1d2c3b4e5f6a7b801", {}, "web/nginx"),
        ("ecs-nginx-12-nginx-a8f1d2c3b4e5f6a7b801", {}, "nginx"),
        (f"redis-{UUID}", {}, "redis"),
        (f"task-{UUID}", {"com.hashicorp.nomad.task_name": "redis"}, "redis"),
        ("web_api.1.k2v8n4m6p0q3r5s7t9u1w2x3y", {}, "web_api"),
        ("x", {"com.docker.swarm.service.name": "stack_web"}, "stack_web"),
    ],
)
def test_docker_and_those_above_it(name: str, labels: Mapping[str, str], plain: str) -> None:
    assert plain_name(name, labels, image="some/image") == plain


def test_a_made_up_name_is_better_than_none() -> None:
    assert plain_name("tender_bose", {}) == "tender_bose"


@pytest.mark.parametrize(
    ("pod", "container", "plain"),
    [
        ("immich-server-6d4cf56db6-x2x7k", "immich-server", "immich-server"),
        ("immich-server-6d4cf56db6-x2x7k", "main", "immich-server/main"),
        ("node-exporter-x2x7k", "node-exporter", "node-exporter"),
        ("node-exporter-htzpd", "node-exporter", "node-exporter"),
        ("my-httpd", "my-httpd", "my-httpd"),
        ("backup-28394820-x7k2p", "backup", "backup"),
        ("postgres-0", "postgres", "postgres-0"),
        ("etcd-node1", "etcd", "etcd-node1"),
        ("shop-7d9f", "app", "shop-7d9f/app"),
        ("", "app", "app"),
        ("web-6d4cf56db6-x2x7k", "", "web"),
    ],
)
def test_kubernetes(pod: str, container: str, plain: str) -> None:
    assert of_pod(pod, container) == plain
