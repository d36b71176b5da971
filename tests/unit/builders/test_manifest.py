from __future__ import annotations

import json

import pytest

from vitrify.builders.manifest import Process, documents, process
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject, digest_bytes
from vitrify.core.resource import Address, Resource
from vitrify.onhost.layout import LAYER, Descriptor

ONE = Descriptor(LAYER, "sha256:" + "1" * 64, 1024)


def web(name: str = "web", *, absent: bool = False) -> JSONObject:
    fields: JSONObject = {
        "name": name,
        "command": ["/usr/bin/python3", "-m", "app", "--port=${instance.port}"],
        "workdir": "/srv/app",
        "user": "www-data",
        "port": 8000,
        "env": {"MODE": "production", "DATABASE_URL": "secret:database_url", "BIND": "127.0.0.1:${instance.port}"},
    }
    return Resource(Address("process", name), fields, absent=absent).to_json()


def test_the_process_becomes_what_a_foreign_runtime_starts() -> None:
    assert process([web()]).settings == {
        "Entrypoint": ["/usr/bin/python3", "-m", "app", "--port=8000"],
        "Env": ["BIND=127.0.0.1:8000", "MODE=production", "PORT=8000"],
        "ExposedPorts": {"8000/tcp": {}},
        "User": "www-data",
        "WorkingDir": "/srv/app",
    }


def test_of_a_secret_only_the_name_is_told() -> None:
    found = process([web()])

    assert found.secrets == ("database_url",)
    assert "secret" not in json.dumps(found.settings)


def test_an_image_without_a_process_says_so_by_silence() -> None:
    assert process([web(absent=True)]) == Process()


def test_two_processes_are_one_too_many() -> None:
    with pytest.raises(UsageInvalid, match="process:web, process:worker"):
        process([web(), web("worker")])


def test_the_documents_are_canonical_and_name_each_other() -> None:
    made = documents(Process(), layers=[ONE], labels={"b": "2", "a": "1"}, architecture="amd64")

    assert made.config == (
        b'{"architecture":"amd64","config":{"Labels":{"a":"1","b":"2"}},"created":"1970-01-01T00:00:00Z","os":"linux",'
        b'"rootfs":{"diff_ids":["sha256:' + b"1" * 64 + b'"],"type":"layers"}}'
    )
    assert json.loads(made.manifest)["config"] == {
        "digest": digest_bytes(made.config),
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "size": len(made.config),
    }
    assert made.digest == digest_bytes(made.manifest)
