"""The command line: demo · serve · emulator · mcp · jobs · audit · database · manifest · doctor."""

import argparse
import asyncio
import atexit
import gc
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

from .log_filter import redact
from .settings import SettingsError

Run = Callable[[argparse.Namespace], Coroutine[None, None, int]]


def main(argv: list[str] | None = None) -> None:
    """Entry point of the script `crmchat`. Problems are one sentence on stderr and exit status 2."""
    args = _parser().parse_args(argv)
    level = (os.environ.get("LOG_LEVEL") or "INFO").upper()
    if level not in logging.getLevelNamesMapping():
        print(f"crmchat: LOG_LEVEL: {level} is no level; choose DEBUG, INFO, WARNING or ERROR.", file=sys.stderr)
        sys.exit(2)
    logging.basicConfig(
        level=level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("aiohttp.access", "httpx", "msal", "slack_bolt", "slack_sdk", "dbos", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    redact()
    # Else the interpreter looks for garbage in all that there is before it ends: half a second.
    atexit.register(gc.freeze)
    try:
        sys.exit(asyncio.run(args.run(args)))
    except SettingsError as e:
        print(f"crmchat: {e}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crmchat", description="Dynamics 365 inside Slack and Microsoft Teams")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = _command(commands, "demo", _demo, "the emulator, both bots and a chat playground; no settings needed")
    demo.add_argument("--port", type=int, help="where to listen (default 3978, or PORT)")
    demo.add_argument("--dataverse", metavar="URL", default="", help="use this organisation instead of the emulator")

    serve = _command(commands, "serve", _serve, "the bots, with settings from the environment and .env")
    serve.add_argument("--port", type=int, help="where to listen (default 3978, or PORT)")

    emulator = _command(commands, "emulator", _emulator, "a Dataverse Web API over SQLite")
    emulator.add_argument("--port", type=int, default=None, help="default 8065, or EMULATOR_PORT")
    emulator.add_argument("--db", default=":memory:", help="a file, or :memory: (default)")
    emulator.add_argument("--tls", action="store_true", help="serve https with a certificate made for localhost")
    emulator.add_argument("--limits", action="store_true", help="hold callers to Dataverse's service protection limits")
    emulator.add_argument("--seed", default="contoso", help="rows to start with: contoso (default) or none")

    mcp = _command(commands, "mcp", _mcp, "the operations as MCP tools for an AI agent, on standard input and output")
    mcp.add_argument("--allow-writes", action="store_true", help="offer the tools that change records, too")

    jobs = _command(commands, "jobs", _jobs, "the journal of accepted work: list, show, retry, cancel")
    jobs.add_argument("what", choices=["list", "show", "retry", "cancel"])
    jobs.add_argument("job", nargs="?", default="", help="the job's id, as `jobs list` shows it")
    jobs.add_argument("--all", action="store_true", help="list the ended ones, too")
    jobs.add_argument("--limit", type=int, default=50, help="how many to list, newest first (default 50)")

    manifest = _command(commands, "manifest", _manifest, "write the app manifest for Slack or Teams")
    manifest.add_argument("platform", choices=["slack", "teams"])
    manifest.add_argument("--url", default="", help="https address under which the platform reaches this server")
    manifest.add_argument(
        "--read-messages", action="store_true", help="Teams: ask for the right to read all messages (docs/teams.md)"
    )
    manifest.add_argument("--out", type=Path, default=Path("manifest"), help="folder to write to (default: manifest)")

    audit = _command(commands, "audit", _audit, "what was done and refused, by whom; or erase a person")
    audit.add_argument("--since", default="", help="a date like 2026-11-01, or 24h, or 7d")
    audit.add_argument("--until", default="", help="the same; before it")
    audit.add_argument("--person", default="", help="platform:tenant:user")
    audit.add_argument(
        "--outcome", default="", choices=["done", "denied", "failed", "question", "shared"], help="what came of it"
    )
    audit.add_argument("--record", default="", help="table/id, as the events have it")
    audit.add_argument("--json", action="store_true", help="JSON lines")
    audit.add_argument("erase", nargs="*", help="erase PERSON: put a tombstone in the person's place")

    database = _command(commands, "database", _database, "the version of the state database's tables; one step back")
    database.add_argument("what", choices=["version", "upgrade", "downgrade"])

    doctor = _command(commands, "doctor", _doctor, "check settings, tokens, Dataverse and rights; say what is wrong")
    doctor.add_argument("--sign-in", action="store_true", help="sign in by device code, and check as that person too")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: Run, text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


async def _demo(args: argparse.Namespace) -> int:
    from .demo_command import run_demo

    if args.port is not None:
        os.environ["PORT"] = str(args.port)
    return await run_demo(dataverse=args.dataverse)


async def _serve(args: argparse.Namespace) -> int:
    # What is loaded now stays; looking for garbage in it takes a tenth of the start. `serve` turns it on again.
    gc.disable()
    from .serve_command import run_serve

    if args.port is not None:
        os.environ["PORT"] = str(args.port)
    return await run_serve(Path(".env"))


async def _emulator(args: argparse.Namespace) -> int:
    from crm.emulator import Emulator, StoreError, run
    from crm.emulator.seeds import SeedError

    def ready(emulator: Emulator) -> None:
        print(f"The Dataverse emulator answers at {emulator.url} (Ctrl+C stops it).", flush=True)
        if emulator.certificate is not None:
            print(f"Its certificate, for clients to trust: {emulator.certificate}", flush=True)

    port = args.port if args.port is not None else int(os.environ.get("EMULATOR_PORT", "8065"))
    seed = None if args.seed == "none" else args.seed
    try:
        await run(port=port, db=args.db, tls=args.tls, seed=seed, limits=args.limits, ready=ready)
    except (StoreError, SeedError) as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        print(f"Cannot listen on port {port}: {reason}. Choose another with --port.", file=sys.stderr)
        return 1
    return 0


async def _jobs(args: argparse.Namespace) -> int:
    from .jobs_command import run_jobs

    if args.what != "list" and not args.job:
        raise SettingsError(f"Which job? For example: crmchat jobs {args.what} slack:T1:123~1")
    status, text = await run_jobs(Path(".env"), args.what, args.job, everything=args.all, limit=args.limit)
    print(text)
    return status


async def _manifest(args: argparse.Namespace) -> int:
    from . import manifests, settings

    read = settings.load()
    url = args.url or read.public_url
    print(manifests.write(args.platform, read, url=url, folder=args.out, read_messages=args.read_messages))
    return 0


async def _mcp(args: argparse.Namespace) -> int:
    gc.disable()  # as for `serve`
    from .mcp_command import run_mcp

    return await run_mcp(Path(".env"), allow_writes=args.allow_writes)


async def _audit(args: argparse.Namespace) -> int:
    from .audit_command import run_audit

    if args.erase and (len(args.erase) != 2 or args.erase[0] != "erase"):
        raise SettingsError("Write: crmchat audit erase platform:tenant:user")
    return await run_audit(
        Path(".env"),
        print,
        erase=args.erase[1] if args.erase else "",
        since=args.since,
        until=args.until,
        person=args.person,
        outcome=args.outcome,
        record=args.record,
        as_json=args.json,
    )


async def _database(args: argparse.Namespace) -> int:
    from .database_command import run_database

    print(await run_database(Path(".env"), args.what))
    return 0


async def _doctor(args: argparse.Namespace) -> int:
    from .doctor import run_doctor

    return await run_doctor(Path(".env"), print, sign_in=args.sign_in)
