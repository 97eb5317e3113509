"""Nothing that people typed and no secret is in what a running server writes: its output and every file it keeps."""

import asyncio
import io
import logging
import os
import signal
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
from slack_sdk.signature import SignatureVerifier

from bots.log_filter import HIDDEN, Redacting, _secrets
from bots.playground.slack_server import FakeSlack
from bots.settings import Settings
from crm.emulator import Emulator
from tests.ports import free_port

SIGNING, KEY, TYPED = "signing-secret-4711", "key-for-tests-0815-4711", f"Confidential{uuid.uuid4().hex[:8]}"


def written(text: str, *args: object, secrets: tuple[str, ...] = ()) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Redacting(logging.Formatter("%(message)s"), secrets))
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError(f"in a traceback: xoxb-1-secret {text % args if args else text}")  # noqa: TRY301
    except ValueError:
        log.exception(text, *args)
    return stream.getvalue()


def test_the_filter_hides_wherever_it_stands() -> None:
    for secret in (
        "xoxb-12-34-abcDEF", "xoxe.xoxp-1-Mi0yabc", "xapp-1-A1-22-ff", "https://hooks.slack.com/commands/T1/2/abc",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "a secret of the settings",
    ):  # fmt: skip
        out = written("request with %s failed", secret, secrets=("a secret of the settings",))
        assert secret not in out
        assert "xoxb-1-secret" not in out
        assert HIDDEN in out
    assert "Bearer abcdefghijk" not in written("Authorization: Bearer abcdefghijk")
    assert "case create" in written("case create")


def test_the_database_s_password_stays_out_of_the_log_and_of_what_settings_say_of_themselves() -> None:
    settings = Settings(database_url="postgresql://crm:s3cr%21t-4711@db.example/crm")
    for said in (*_secrets(settings), repr(settings)):
        assert "crm:s3cr" not in said
    out = written("no connection to %s, password s3cr!t-4711", settings.database_url, secrets=tuple(_secrets(settings)))
    assert "4711" not in out
    assert "db.example" in out


async def test_every_byte_of_a_running_server(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    async with Emulator(seed="contoso") as emulator, FakeSlack() as slack, aiohttp.ClientSession() as session:
        env = {
            "PATH": os.environ["PATH"], "PORT": str(port), "CRMCHAT_DATA_DIR": str(data), "LOG_LEVEL": "DEBUG",
            "DATAVERSE_URL": emulator.url, "CRMCHAT_SECRET_KEY": KEY, "SLACK_SIGNING_SECRET": SIGNING,
            "SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url,
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("crmchat"), "serve", env=env, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        reading = asyncio.create_task(process.communicate())
        url = f"http://127.0.0.1:{port}"
        try:
            until = time.monotonic() + 45
            while time.monotonic() < until and process.returncode is None:
                try:
                    async with session.get(f"{url}/readyz") as ready:
                        if ready.status == 200:
                            break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.1)

            async def command(text: str, trigger: str, secret: str = SIGNING) -> int:
                body = urlencode({
                    "command": "/crm", "text": text, "team_id": "T1", "user_id": "U2", "channel_id": "C1",
                    "api_app_id": "A1", "trigger_id": trigger, "response_url": f"{url}/hook-{TYPED}",
                })  # fmt: skip
                stamp = str(int(time.time()))
                signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body) or ""
                headers = {
                    "Content-Type": "application/x-www-form-urlencoded",
                    "X-Slack-Request-Timestamp": stamp,
                    "X-Slack-Signature": signature,
                }
                async with session.post(f"{url}/slack/events", data=body, headers=headers) as answer:
                    return answer.status

            assert await command(f"lead create Jane {TYPED} company=Acme topic=Pumps", "t1") == 200
            assert await command(f"lead create Jane topic='{TYPED}' colour=red", "t2") == 200
            assert await command(f"case show {TYPED}", "t3") == 200
            assert await command(f"lead create Eve {TYPED}", "t4", secret="wrong") == 401
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            output, _ = await asyncio.wait_for(reading, 60)
    assert b"listening" in output
    secrets = [SIGNING, KEY, slack.bot_token, TYPED]
    files = [f for f in data.rglob("*") if f.is_file()]
    assert len(files) >= 2
    for place, content in [("output", output), *((str(f), f.read_bytes()) for f in files)]:
        for secret in secrets:
            at = content.find(secret.encode())
            assert at < 0, f"{place}: …{content[max(0, at - 200) : at + 80]!r}"
