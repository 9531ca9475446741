"""What a message of Messenger or Instagram says: its words, and the files that came with it.

Source: messenger-platform/reference/webhook-events/messages, "attachments"; instagram-platform webhooks, read 2026-11.
"""

from collections.abc import Mapping

from services.ingest.channels.shapes import graph_webhooks as graph
from services.ingest.channels.shapes.graph_webhooks import Node, Words
from services.ingest.domain import texts
from shared import events

FILES_MAX = 16
ATTACHMENT_TYPES: Mapping[str, str] = {
    "image": "image/*",
    "sticker": "image/*",
    "animated_image": "image/*",
    "audio": "audio/*",
    "video": "video/*",
    "reel": "video/*",
    "ig_reel": "video/*",
}
"""What an attachment is where its address does not say so; of any other type nothing is known."""
SIGNS: Mapping[str, str] = {"like_heart": "❤️"}
"""What is shown as a sign of its own, with no words and no file."""
WORDS_ONLY = frozenset(
    {"appointment_booking", "fallback", "location", "template", "product", *SIGNS}
)
"""What is no file: an appointment, a page that was linked, a place, something of a catalogue."""


def of_message(message: Node) -> Words:
    """Return what a message says."""
    attached = graph.nodes(message, "attachments")
    files = {_named(each): file for each in attached if (file := _file(each)) is not None}
    lines = [graph.word(message, "text")]
    for each in dict.fromkeys(tuple(_lines(each)) for each in attached):
        lines += [line for line in each if line not in lines[0]]
    story = graph.word(message, "reply_to", "story", "url")
    quoted = texts.quoted([story, *_way(graph.node(message, "referral"))])
    return Words(graph.text(lines), len(files), tuple(files.values())[:FILES_MAX], quoted)


def _named(attachment: Node) -> str:
    """Return what an attachment is known by: a sticker and a post may come under two types at once."""
    return graph.word(attachment, "payload", "sticker_id") or _address(attachment)


def _way(referral: Node) -> list[str]:
    """Return how somebody came to write: by an advertisement, from an article, from a page, by a link with a word."""
    return [
        graph.word(referral, "ads_context_data", "ad_title"),
        graph.word(referral, "product", "id"),
        graph.word(referral, "referer_uri"),
        graph.word(referral, "ref"),
    ]


def _file(attachment: Node) -> events.AttachedFile | None:
    kind, address = graph.word(attachment, "type"), _address(attachment)
    if kind in WORDS_ONLY or not address:
        return None
    fallback = ATTACHMENT_TYPES.get(kind, "application/octet-stream")
    return events.AttachedFile(
        name=texts.line(graph.word(attachment, "payload", "title"), graph.FILE_NAME_MAX_BYTES),
        media_type=graph.media_type(address, fallback),
        source=texts.fit(address, graph.SOURCE_MAX_BYTES),
    )


def _address(attachment: Node) -> str:
    """Return where a file lies: stories have a name of their own for it."""
    names = ("url", "story_media_url", "reel_video_url")
    found = (graph.word(attachment, "payload", name) for name in names)
    beside = graph.word(attachment, "url") or graph.word(attachment, "URL")
    return next((each for each in found if each), beside)


def _lines(attachment: Node) -> list[str]:
    """Return what an attachment says in words: a sign, a page, a place, an appointment, products, buttons."""
    kind, content = graph.word(attachment, "type"), graph.node(attachment, "payload")
    if kind not in WORDS_ONLY and _address(attachment):
        return []
    titles = [graph.word(attachment, "title"), graph.word(content, "title")]
    lines = [SIGNS.get(kind, ""), *dict.fromkeys(titles), _address(attachment)]
    lines += [*_place(content), *_appointment(content), graph.word(content, "text")]
    listed = [graph.nodes(content, name, "elements") for name in ("product", "generic")]
    for each in [*listed[0], *listed[1], *graph.nodes(content, "elements")]:
        lines += [graph.word(each, "title"), graph.word(each, "subtitle")]
    return [*lines, *(graph.word(each, "title") for each in graph.nodes(content, "buttons"))]


def _place(content: Node) -> list[str]:
    """Return a place as RFC 5870 writes it."""
    place = graph.node(content, "coordinates")
    return [f"geo:{graph.word(place, 'lat')},{graph.word(place, 'long')}"] if place else []


def _appointment(content: Node) -> list[str]:
    """Return from when until when somebody wants to come, and whether that is settled, with the times of ISO 8601."""
    times = [graph.time(content, name) for name in ("start_time", "end_time")]
    told = "/".join(each.isoformat() for each in times if each is not None)
    return [f"{graph.word(content, 'status')} {told}".strip()] if told else []


def of_postback(postback: Node) -> Words:
    """Return what somebody chose: the button's title, else what stands behind it."""
    chosen = graph.word(postback, "title") or graph.word(postback, "payload")
    return Words(texts.fit(chosen), quoted=texts.quoted(_way(graph.node(postback, "referral"))))


def of_feedback(feedback: Node) -> Words:
    """Return what somebody answered to the questions of a feedback form, an answer per line."""
    lines = []
    for screen in graph.nodes(feedback, "feedback_screens"):
        for question in graph.node(screen, "questions").values():
            lines += [graph.word(question, "payload"), graph.word(question, "follow_up", "payload")]
    return Words(graph.text(lines))


def of_customer_information(given: Node) -> Words:
    """Return what somebody filled in, as `name: value` per line."""
    return Words(
        graph.text(
            [
                f"{graph.word(answer, 'key')}: {graph.word(answer, 'value')}"
                for screen in graph.nodes(given, "screens")
                for answer in graph.nodes(screen, "responses")
            ]
        )
    )
