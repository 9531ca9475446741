"""Everything that is wrong with a policy file, or with the files of a folder, at once."""

import re
from pathlib import Path

import msgspec

from deploy.policy import reading, shape
from deploy.policy.reading import Complaint, Place, PolicyText, Unreadable, named
from shared import errors, strict
from shared.policies import PolicyFiles
from shared.policy import Policy
from shared.policy.checks import contradictions
from shared.policy.loading import PolicyReader

_SENTENCE = re.compile(r"[^\w-].*\w|\w.*[^\w-]")
"""What is no single word, as a pattern is none: it stands in a complaint as a whole."""
_WORD = re.compile(r"[^\s,:()`]+")


def check(path: Path) -> dict[str, list[Complaint]]:
    """Return the complaints about each file, by its name, in reading order. Raises: PolicyInvalid if there is none."""
    files = PolicyFiles(path)
    contents = files.contents()
    found = {name: check_text(content) for name, content in contents.items()}
    try:
        files.read(contents=contents)
    except errors.PolicyInvalid as error:
        # None of the files can be taken; of each the reason is told.
        files.refused.setdefault("", error)
    for name, refusal in files.refused.items():
        if name in found and not any(each.refused for each in found[name]):
            found[name].append(_whole(contents[name], str(refusal).removeprefix(f"{name}: ")))
    return found


def check_text(content: bytes | str) -> list[Complaint]:
    """Return the complaints about the text of a policy; `content`: why it could not be read, where it is a str."""
    if isinstance(content, str):
        return [Complaint(1, 1, "", content)]
    try:
        text = PolicyText(content)
    except Unreadable as error:
        return [error.complaint]
    found = shape.complaints(text)
    if not any(each.refused for each in found):
        policy = msgspec.convert(strict.read_yaml(content, PolicyReader), Policy)
        found += [_placed(text, each) for each in contradictions(policy)]
    return sorted(found)


def _whole(content: bytes | str, said: str) -> Complaint:
    """Return a complaint about a file that fits by itself."""
    assert isinstance(content, bytes)
    return _placed(PolicyText(content), said)


def _placed(text: PolicyText, said: str) -> Complaint:
    """Return a complaint of the whole policy at the place whose path and word have most of what it names.

    "agent ewa: no queue zoo" is about `agents.ewa.queues[0]`, where `zoo` stands: whoever adds a check names what is
    wrong, and need not know where in the file it was written.
    """
    names = {_singular(word) for word in _WORD.findall(said)}
    best, most = Place((), frozenset(), text.root), 0
    for place in text.places():
        value, words = named(place.node), {_singular(each) for each in place.words}
        told = _singular(value) in names or (_SENTENCE.search(value) and value in said)
        leads = place.path[-1:] in {(value,), ("name",)}
        score = len(names & words) + 2 * bool(told and not leads)
        if score > most:
            best, most = place, score
    return reading.complaint(best.node, best.path, said)


def _singular(word: str) -> str:
    return word.removesuffix("s")
