"""A real S3 server on loopback: moto, which checks each signature with botocore."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import httpx
from aws_request_signer import AwsRequestSigner  # type: ignore[import-untyped]

from deploy.embedded.ports import free_ports
from services.ingest.handlers.s3 import S3Address
from tests.ingest.running_ingest import until

REGION = "eu-central-1"
UNSIGNED = 4
"""Requests that are answered before keys are asked for: the user, her key, what she may, the bucket."""
CREATED = (
    "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>"
    "</CreateBucketConfiguration>"
)
ALLOWED = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'


@dataclass(frozen=True)
class Moto:
    """`address`: of a bucket in it, with the keys of its user."""

    url: str
    address: S3Address
    signer: AwsRequestSigner = field(repr=False)

    def of(self, **other: str) -> S3Address:
        """The address with other keys, or of another bucket."""
        return replace(self.address, **other)

    async def object(self, key: str, content: bytes | None = None) -> httpx.Response:
        """What stands under a key; `content` takes its place, as somebody beside us would do it."""
        url, method = f"{self.address.url}/{key}", "GET" if content is None else "PUT"
        signed = self.signer.sign_with_headers(method, url, {}, "UNSIGNED-PAYLOAD")
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.request(method, url, headers=signed, content=content)


@contextlib.asynccontextmanager
async def moto() -> AsyncIterator[Moto]:
    """Run a server with one bucket until the block ends."""
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port),
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(UNSIGNED)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await until(lambda: _answers(port))
        yield await _furnished(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> bool | None:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return None
    writer.close()
    return True


async def _furnished(url: str) -> Moto:
    """Make a user, her key and a bucket."""
    iam = AwsRequestSigner("us-east-1", "nobody", "nothing", "iam")
    async with httpx.AsyncClient(trust_env=False) as http:

        async def do(**asked: str) -> str:
            signed = iam.sign_with_headers("POST", url, {}, "UNSIGNED-PAYLOAD")
            given = await http.post(url, data={"Version": "2010-05-08", **asked}, headers=signed)
            assert given.status_code == 200, given.text
            return given.text

        await do(Action="CreateUser", UserName="files")
        made = await do(Action="CreateAccessKey", UserName="files")
        await do(Action="PutUserPolicy", UserName="files", PolicyName="all", PolicyDocument=ALLOWED)
        key, secret = (
            re.findall(f"<{name}>([^<]+)</{name}>", made)[0]
            for name in ("AccessKeyId", "SecretAccessKey")
        )
        bucket = f"{url}/files"
        signer = AwsRequestSigner(REGION, key, secret, "s3")
        within = CREATED.format(region=REGION)
        signed = signer.sign_with_headers("PUT", bucket, {}, "UNSIGNED-PAYLOAD")
        given = await http.put(bucket, headers=signed, content=within)
        assert given.status_code == 200, given.text
    return Moto(url, S3Address(f"{bucket}/of/tellonce", REGION, key, secret), signer)
