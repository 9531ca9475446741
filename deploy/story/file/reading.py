"""Reads and checks a story file."""

from pathlib import Path
from typing import Any

import msgspec
import yaml

from deploy.story.errors import StoryInvalid
from deploy.story.file import model
from deploy.story.file.durations import seconds
from shared import strict

STORY_MAX_BYTES = 1_048_576


def read_story(path: Path) -> model.Story:
    """Return the checked story in a file. Raises: StoryInvalid, which says where and why."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoryInvalid(f"{path.name} cannot be read: {error.strerror}") from None
    if len(content) > STORY_MAX_BYTES:
        raise StoryInvalid("the story file is too large", limit_bytes=STORY_MAX_BYTES)
    return parse_story(content, path.parent)


def parse_story(content: bytes, folder: Path) -> model.Story:
    """Return the checked story in YAML text. Raises: StoryInvalid."""
    try:
        head = msgspec.convert(strict.read_yaml(content), model.Head)
    except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise StoryInvalid(f"the story does not fit its format: {error}") from None
    steps = [read_step(written, f"step {n}") for n, written in enumerate(head.steps, 1)]
    if head.must_fail is None and any(isinstance(step, model.TamperStep) for step in steps):
        raise StoryInvalid("`tamper` may stand only in a story with `must_fail`")
    for n, step in enumerate(steps, 1):
        _check_tenant(step, head, f"step {n}")
    return model.Story(head=head, steps=steps, folder=str(folder))


def _check_tenant(step: model.Step, head: model.Head, place: str) -> None:
    """Raises: StoryInvalid for a tenant that the story has not; a door or a command may be tried with any."""
    may_be_any = isinstance(step, model.DoorStep | model.CommandStep)
    if not may_be_any and step.tenant not in (None, *head.tenants):
        raise StoryInvalid(f"{place}: the story has no tenant {step.tenant}")


def read_step(written: dict[str, Any], place: str) -> model.Step:
    """Return one checked step. Raises: StoryInvalid, which names `place`."""
    kind = _kind(written, place)
    try:
        step = msgspec.convert(written, kind)
        _check_durations(step)
    except (msgspec.ValidationError, ValueError) as error:
        raise StoryInvalid(f"{place} does not fit its format: {error}") from None
    if isinstance(step, model.TogetherStep):
        together_steps(step, place)
    return step


def together_steps(
    step: model.TogetherStep, place: str
) -> list[model.DoorStep | model.CommandStep]:
    """Return the steps inside a `together`. Raises: StoryInvalid."""
    inside: list[model.DoorStep | model.CommandStep] = []
    for k, written in enumerate(step.together, 1):
        each = read_step(written, f"{place}.{k}")
        if not isinstance(each, model.DoorStep | model.CommandStep):
            raise StoryInvalid(f"{place}.{k}: only doors and commands may stand in `together`")
        inside.append(each)
    return inside


def _kind(written: dict[str, Any], place: str) -> type[model.Step]:
    if "expect" in written:
        kind = model.EXPECTATIONS.get(str(written["expect"]))
        if kind is None:
            known = ", ".join(model.EXPECTATIONS)
            raise StoryInvalid(f"{place}: `expect` is one of {known}")
        return kind
    found = [key for key in model.STEPS if key in written]
    if len(found) != 1:
        raise StoryInvalid(f"{place}: a step has exactly one of expect, {', '.join(model.STEPS)}")
    return model.STEPS[found[0]]


def _check_durations(step: model.Step) -> None:
    for field in ("within", "while_"):
        given = getattr(step, field, 0)
        if not 0 <= seconds(given) <= model.WITHIN_MAX_SECONDS:
            raise ValueError(f"a wait is at most {model.WITHIN_MAX_SECONDS:g} s")
