"""Object storage on this machine: moto's server, and in front of it one that lies, refuses or is slow when a test says so."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import boto3
import httpx
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from jeevo.environment import Offsite

BUCKET = "backups"


class Faults:
    """`flip`: one byte of what is read is another. `refuse`: nothing is taken or given. `puts`: the keys that came, in order."""

    def __init__(self) -> None:
        self.flip = self.refuse = False
        self.puts: list[str] = []


class S3:
    def __init__(self, url: str, faults: Faults) -> None:
        self.url, self.faults = url, faults
        self.client = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id="asha", aws_secret_access_key="secret", region_name="us-east-1"
        )
        # What another test of this process put there.
        httpx.post(f"{url}/moto-api/reset", timeout=10).raise_for_status()
        self.client.create_bucket(Bucket=BUCKET)

    @property
    def offsite(self) -> Offsite:
        return Offsite(f"s3://{BUCKET}/jeevo", self.url, "asha", "secret", "us-east-1")

    def stored(self) -> list[str]:
        found: list[str] = []
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            found += [each["Key"] for each in page.get("Contents", [])]
        return sorted(found)

    def body(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return data


class _Between:
    def __init__(self, inner: Any, faults: Faults) -> None:
        self.inner, self.faults = inner, faults

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if self.faults.refuse:
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>patient words</Message></Error>"]
        if method == "PUT" and path.count("/") > 1:
            self.faults.puts.append(path)
        answer: Iterable[bytes] = self.inner(environ, start)
        if method == "GET" and self.faults.flip and path.count("/") > 1:
            return [_flipped(b"".join(answer))]
        return answer


def _flipped(data: bytes) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


@contextmanager
def serving() -> Iterator[S3]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    faults = Faults()
    application = _Between(DomainDispatcherApplication(create_backend_app), faults)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield S3(f"http://127.0.0.1:{server.server_port}", faults)
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
