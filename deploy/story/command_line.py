"""`tellonce story FILE... [--report FILE]`: 0 all met, 1 an expectation failed, 2 a file or the stack is unusable."""

import argparse
import asyncio
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec
import structlog

from deploy.embedded.errors import SetupError
from deploy.story.file import model, reading
from deploy.story.playing import Kills, play
from deploy.story.telling.printing import complain
from deploy.story.telling.report import Report
from shared.errors import TellonceError

EXIT_MET = 0
EXIT_FAILED = 1
EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
STORIES_MAX = 100
KILL_EVERY = 3
PROCESSES: tuple[str, ...] = get_args(model.Process)


def main(argv: Sequence[str]) -> int:
    """Play the stories that the command line names, each on a stack of its own; return the exit code."""
    parser = _parser()
    chosen = parser.parse_args(list(argv))
    _check_together(parser, chosen)
    try:
        stories = [reading.read_story(Path(name)) for name in chosen.file]
        _check_step(parser, chosen.at, stories)
        kills = Kills(chosen.kill, chosen.at, chosen.kill_random, chosen.kill_every or KILL_EVERY)
        kept_in = Path(chosen.keep).absolute() if chosen.keep else None
        _keep_libraries_quiet()
        reports = asyncio.run(_play_all(stories, chosen.seed, kills, kept_in, chosen.against))
    except SetupError as error:
        complain(f"{error.code}: {error}\n  {error.how_to_mend}")
        return EXIT_UNUSABLE
    except TellonceError as error:
        details = ", ".join(f"{name}: {value}" for name, value in error.details.items())
        complain(f"{error.code}: {error}" + (f" ({details})" if details else ""))
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except asyncio.CancelledError:
        return EXIT_TERMINATED
    if chosen.report is not None:
        try:
            _write(Path(chosen.report), reports)
        except OSError as error:
            complain(f"the report cannot be written: {error.strerror}")
            return EXIT_UNUSABLE
    return EXIT_MET if all(report.ok for report in reports) else EXIT_FAILED


async def _play_all(
    stories: list[model.Story],
    seed: int | None,
    kills: Kills,
    kept_in: Path | None,
    against: str | None,
) -> list[Report]:
    _end_in_order_on_sigterm()
    return [
        await play(story, seed, kills, kept_in / story.name if kept_in else None, against)
        for story in stories
    ]


def _end_in_order_on_sigterm() -> None:
    """Let SIGTERM do what Ctrl-C does: the story ends, its stack is stopped and its folder tidied up."""
    playing = asyncio.current_task()
    assert playing is not None, "called by the task that plays"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)


def _keep_libraries_quiet() -> None:
    """A lost connection is part of some stories: the player says itself what matters."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for name in ("nats", "mail.log", "websockets"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _write(path: Path, reports: list[Report]) -> None:
    """Write one report as an object, several as a list."""
    content: object = reports[0] if len(reports) == 1 else reports
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


def _check_together(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> None:
    """End with usage and 2 for options that would do nothing as they stand."""
    if len(chosen.file) > STORIES_MAX:
        parser.error(f"at most {STORIES_MAX} files at a time")
    if (chosen.kill is None) != (chosen.at is None):
        parser.error("--kill and --at go together")
    if chosen.against and (chosen.keep or chosen.kill or chosen.kill_random is not None):
        parser.error("--against: nothing can be kept or killed there")
    if chosen.kill_every is not None and chosen.kill_random is None:
        parser.error("--kill-every goes with --kill-random")


def _check_step(
    parser: argparse.ArgumentParser, at: int | None, stories: list[model.Story]
) -> None:
    for story in stories:
        if at is not None and at > len(story.steps):
            parser.error(f"--at {at}: {story.name} has {len(story.steps)} steps")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tellonce story",
        description="Play stories through the real doors and check them; docs/reference/stories.md has the format.",
    )
    parser.add_argument("file", nargs="+", metavar="FILE")
    parser.add_argument("--report", metavar="FILE", help="write what was found as JSON")
    parser.add_argument("--keep", metavar="DIR", help="keep data and logs in DIR/<story>")
    parser.add_argument("--against", metavar="URL", help="play on the stack whose doors are there")
    parser.add_argument(
        "--seed",
        type=int,
        help="goes into ids and $run (1; a new one on a stack that runs already)",
    )
    parser.add_argument("--kill", choices=PROCESSES, help="with --at: signal 9 before one step")
    parser.add_argument("--at", type=_positive, metavar="N", help="the number of that step")
    parser.add_argument("--kill-random", type=int, metavar="SEED", help="kill random processes")
    parser.add_argument(
        "--kill-every",
        type=_positive,
        metavar="K",
        help=f"with --kill-random: before every K-th step ({KILL_EVERY})",
    )
    return parser
