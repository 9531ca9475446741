"""`tellonce VERB ...`: reads the command line and hands over to the verb."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from deploy.cli import ask, balance, doctor, parked, policy, status, times, up
from deploy.embedded.errors import SetupError

Verb = Callable[[argparse.Namespace], int]
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
EXIT_NOT_WRITTEN = 74
"""What `sysexits.h` calls an input or output error."""
NOT_WRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
STREAMS = {0: ("stdin", "r"), 1: ("stdout", "w"), 2: ("stderr", "w")}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; its exit code. What is wrong with the set-up goes to standard error, with its code."""
    _open_streams()
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    except BrokenPipeError:
        _give_up_writing()
        return EXIT_PIPE_CLOSED
    except OSError as error:
        if error.filename is not None or error.errno not in NOT_WRITTEN:
            raise
        _give_up_writing()
        print(f"the answer cannot be written: {error.strerror}", file=sys.stderr)
        return EXIT_NOT_WRITTEN
    except SetupError as error:
        print(f"{error.code}: {error}\n  {error.how_to_mend}", file=sys.stderr)
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _open_streams() -> None:
    """Put the empty device where we were started with a closed stream: the next file opened would take its place."""
    for number, (name, mode) in STREAMS.items():
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


def _give_up_writing() -> None:
    """Let what is still buffered go nowhere, without a word when Python ends: nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["story"]:
        code = _story(arguments[1:])
    else:
        chosen = parser().parse_args(arguments)
        verb: Verb = chosen.verb
        code = verb(chosen)
    sys.stdout.flush()  # a closed pipe is found here, not when Python ends
    return code


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line; `verb`: the function of the verb."""
    parser = argparse.ArgumentParser(
        prog="tellonce",
        description="A ledger of customer conversations: nobody has to tell it twice.",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _add_stack_verbs(verbs)
    _add_question_verbs(verbs)
    _add_measures(verbs)
    _add_parked(verbs)
    _add_deliver(verbs)
    _add_import(verbs)
    stored = _verb(verbs, "raw", _raw, "show one delivery as it came")
    stored.add_argument("position", metavar="POSITION", type=int, help="in RAW, as lists name it")
    _add_ledger(verbs)
    _add_backup(verbs)
    _add_channels(verbs)
    _add_policies(verbs)
    story = verbs.add_parser("story", help="play stories through the real doors and check them")
    story.add_argument("file", nargs="+", metavar="FILE")
    story.add_argument("--report", metavar="FILE", help="write what was found as JSON")
    return parser


def _add_stack_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    running = _verb(verbs, "up", up.up, "run the stack on this machine until Ctrl-C")
    _add_policy(running)
    _verb(verbs, "down", up.down, "stop the stack that runs on a data folder")
    asked = _verb(verbs, "status", status.status, "how the stack is")
    asked.add_argument("--json", action="store_true", help="one JSON object")
    examined = _verb(
        verbs, "doctor", doctor.doctor, "what is wrong with the set-up, how to mend it"
    )
    examined.add_argument("--json", action="store_true", help="one JSON object")
    _add_policy(examined)


def _add_question_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, verb, text in (
        ("cmd", ask.command, "send a command; prints the reply"),
        ("query", ask.query, "ask a query; prints the reply"),
    ):
        parser = _verb(verbs, name, verb, text)
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "body", metavar="JSON", nargs="?", default="{}", help="`-` reads it from stdin"
        )
        parser.add_argument("--tenant", default="demo")
    asked = _verb(verbs, "balance", balance.balance, "what became of every delivery")
    asked.add_argument("--prove", action="store_true", help="parse RAW again and compare")
    asked.add_argument("--tenant", default="demo")
    text = "what became of everybody whose call nobody took on a day, proved from the ledger"
    told = _verb(verbs, "missed", _missed, text)
    told.add_argument("--day", metavar="DAY", type=times.day, help="2026-12-01; today without it")
    told.add_argument("--zone", metavar="ZONE", type=times.zone, help="the policy's, else UTC")
    told.add_argument("--json", action="store_true", help="one JSON object, with every contact")
    _add_tenant(told)


def _add_measures(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _verb(
        verbs, "measures", _measures, "waits, handling, resolution: from the ledger alone"
    )
    for name, text in (("since", "when contacts began, or later"), ("until", "before that")):
        parser.add_argument(f"--{name}", metavar="TIME", type=_instant, required=True, help=text)
    for name in ("queue", "agent", "channel"):
        parser.add_argument(f"--{name}", metavar="NAME", help="one alone")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--tenant", default="demo")
    _add_policy(parser)


def _add_parked(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "what failed unexpectedly or could not be read: list it, retry it, or give it up"
    actions = verbs.add_parser("parked", help=text, description=text).add_subparsers(
        metavar="ACTION", required=True
    )
    listing = _verb(actions, "list", parked.listed, "what is parked, the longest parked first")
    listing.add_argument("--json", action="store_true", help="the query's whole answer")
    retrying = _verb(actions, "retry", parked.retried, "handle it again, in order")
    retrying.add_argument("id", metavar="ID", nargs="*", help="without any: all that failed")
    skipping = _verb(actions, "skip", parked.skipped, "give it up: it never becomes a fact")
    which = skipping.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="*", default=[])
    which.add_argument("--unread", action="store_true", help="all that could not be read")
    skipping.add_argument("--reason", metavar="TEXT", required=True)
    rejecting = _verb(
        actions, "reject", parked.rejected, "pass over what is in the ledger and no event of ours"
    )
    rejecting.add_argument("sequence", metavar="SEQUENCE", type=int)
    rejecting.add_argument("sha256", metavar="SHA256", help="of its body, as history names it")
    rejecting.add_argument("--reason", metavar="TEXT", required=True)
    for parser in (listing, retrying, skipping, rejecting):
        parser.add_argument("--tenant", default="demo")


def _add_deliver(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _verb(verbs, "deliver", _deliver, "hand one signed delivery to a door")
    parser.add_argument("account", metavar="ACCOUNT", help="<channel>/<name>, as in the policy")
    parser.add_argument(
        "content",
        metavar="NAME=VALUE|TEXT",
        nargs="*",
        help="fields, or the body as one text; without any it is read from stdin",
    )
    _add_tenant(parser)


def _add_import(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _verb(verbs, "import", _import, "put a vendor's exported history on the timelines")
    parser.add_argument("channel", metavar="CHANNEL")
    parser.add_argument("file", metavar="FILE", nargs="+", help="of one export, in any order")
    parser.add_argument("--account", metavar="ACCOUNT", help="where the channel has several")
    _add_tenant(parser)


def _add_ledger(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    ledger = verbs.add_parser("ledger", help="whether it is the one that its data was made from")
    acts = ledger.add_subparsers(metavar="ACT", required=True)
    for name, verb, text in (
        ("check", _ledger_check, "ask everything that remembers the ledger"),
        ("adopt", _ledger_adopt, "accept the ledger as it stands, on the record"),
    ):
        parser = _verb(acts, name, verb, text)
        parser.add_argument("--json", action="store_true", help="one JSON object")
        _add_policy(parser)
        if name == "adopt":
            parser.add_argument("--reason", required=True, help="why; it stands in the ledger")


def _add_backup(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, verb, text in (
        ("backup", _backup, "copy the truth into a new folder, while everything goes on"),
        ("restore", _restore, "put a backup back where there is no ledger"),
    ):
        parser = _verb(verbs, name, verb, text)
        parser.add_argument("folder", metavar="FOLDER")
        _add_policy(parser)
        if name == "restore":
            parser.add_argument("--reason", required=True, help="why; it stands in the ledger")


def _add_channels(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    channels = verbs.add_parser("channels", help="what each way in makes of what arrives")
    acts = channels.add_subparsers(metavar="ACT", required=True)
    text = "what a channel makes of payloads in files; needs no stack"
    parser = acts.add_parser("parse", help=text, description=text)
    parser.add_argument("channel", metavar="CHANNEL")
    parser.add_argument("file", metavar="FILE", nargs="+")
    parser.add_argument("--summary", action="store_true", help="one more line: the shares")
    parser.set_defaults(verb=_channels_parse)
    listing = _verb(acts, "list", _channels_list, "each account: its door, balance and silence")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_tenant(listing)
    again = _verb(acts, "replay", _channels_replay, "parse RAW again, show what is new, apply it")
    again.add_argument(
        "--since",
        metavar="TIME",
        type=_time,
        required=True,
        help="when it was stored, or later: 2026-11-28T08:00:00Z",
    )
    again.add_argument("--account", metavar="ACCOUNT", help="one alone: <channel>/<name>")
    again.add_argument("--apply", action="store_true", help="have the router decide what is new")
    _add_tenant(again)


def _add_policies(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "what a policy says, what it changes, and what was decided by it"
    policies = verbs.add_parser("policy", help=text, description=text)
    acts = policies.add_subparsers(metavar="ACT", required=True)
    checked = _verb(acts, "check", policy.check, "everything that is wrong with it, and where")
    checked.add_argument("file", metavar="FILE", help="a policy (YAML), or a folder of them")
    compared = _verb(acts, "diff", policy.diff, "what changes for people, and what it strands")
    compared.add_argument("old", metavar="OLD")
    compared.add_argument("new", metavar="NEW")
    compared.add_argument(
        "--running", action="store_true", help="ask the stack what those who go hold now"
    )
    text = "put it in force in the running stack, and wait until every service works by it"
    applied = _verb(acts, "apply", policy.apply, text)
    applied.add_argument("file", metavar="FILE")
    _add_policy(applied)
    text = "why a matter went as it did: rules, policy versions, who was left out"
    explained = _verb(acts, "explain", policy.explain, text)
    explained.add_argument("conversation", metavar="CONVERSATION")
    explained.add_argument("--json", action="store_true", help="one JSON object")
    explained.add_argument("--tenant", default="demo")


def _add_policy(parser: argparse.ArgumentParser) -> None:
    text = "the tenant's policy (YAML), or a folder of them"
    parser.add_argument("--tenant-policy", metavar="FILE", help=text)


def _add_tenant(parser: argparse.ArgumentParser) -> None:
    """Of what is done for one tenant."""
    _add_policy(parser)
    parser.add_argument("--tenant", metavar="NAME", help="where the folder has several")


def _time(written: str) -> datetime:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a time: {written}") from None


def _instant(written: str) -> datetime:
    """Return a time with a zone; without one it is UTC."""
    at = _time(written)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, verb: Verb, text: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument(
        "--data", metavar="DIR", help="data folder (TELLONCE_DATA, else ./.tellonce)"
    )
    parser.set_defaults(verb=verb)
    return parser


# These import the services' libraries or the player only when asked for: the other verbs start without them.


def _deliver(chosen: argparse.Namespace) -> int:
    from deploy.cli.deliver import deliver  # noqa: PLC0415

    return deliver(chosen)


def _import(chosen: argparse.Namespace) -> int:
    from deploy.cli.importing import import_history  # noqa: PLC0415

    return import_history(chosen)


def _missed(chosen: argparse.Namespace) -> int:
    from deploy.cli.missed import show  # noqa: PLC0415

    return show(chosen)


def _raw(chosen: argparse.Namespace) -> int:
    from deploy.cli.raw import show  # noqa: PLC0415

    return show(chosen)


def _measures(chosen: argparse.Namespace) -> int:
    from deploy.cli.measures import measures  # noqa: PLC0415

    return measures(chosen)


def _ledger_check(chosen: argparse.Namespace) -> int:
    from deploy.cli.ledger import check  # noqa: PLC0415

    return check(chosen)


def _ledger_adopt(chosen: argparse.Namespace) -> int:
    from deploy.cli.ledger import adopt  # noqa: PLC0415

    return adopt(chosen)


def _backup(chosen: argparse.Namespace) -> int:
    from deploy.cli.backup import backup  # noqa: PLC0415

    return backup(chosen)


def _restore(chosen: argparse.Namespace) -> int:
    from deploy.cli.backup import restore  # noqa: PLC0415

    return restore(chosen)


def _channels_list(chosen: argparse.Namespace) -> int:
    from deploy.cli.channel_list import listed  # noqa: PLC0415

    return listed(chosen)


def _channels_replay(chosen: argparse.Namespace) -> int:
    from deploy.cli.replay import replay  # noqa: PLC0415

    return replay(chosen)


def _channels_parse(chosen: argparse.Namespace) -> int:
    from deploy.cli.channels import parse  # noqa: PLC0415

    return parse(chosen)


def _story(arguments: list[str]) -> int:
    from deploy.story import main as play  # noqa: PLC0415

    return play(arguments)


if __name__ == "__main__":
    sys.exit(main())
