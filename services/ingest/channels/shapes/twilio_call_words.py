"""The words of Twilio's webhooks for calls, and which of our events each of them is.

Sources: those of the channel `twilio_voice`.
"""

from collections.abc import Mapping

IGNORED = "ignored"
STATUS_KINDS: Mapping[str, str] = {
    "queued": IGNORED,
    "initiated": IGNORED,
    "ringing": "call.started",
    "in-progress": "call.answered",
    "completed": "call.ended",
    "busy": "call.missed",
    "no-answer": "call.missed",
    "failed": "call.missed",
    "canceled": "call.missed",
}
"""`CallStatus` of a customer's call; other legs (an agent's phone) are not contacts."""

CONFERENCE_KINDS: Mapping[str, str] = {
    "participant-hold": "call.held",
    "participant-unhold": "call.resumed",
    "participant-join": IGNORED,
    "participant-leave": IGNORED,
    "participant-mute": IGNORED,
    "participant-unmute": IGNORED,
    "participant-modify": IGNORED,
    "participant-speech-start": IGNORED,
    "participant-speech-stop": IGNORED,
    "conference-start": IGNORED,
    "conference-end": IGNORED,
    "announcement-end": IGNORED,
    "announcement-fail": IGNORED,
}
"""`StatusCallbackEvent` of a conference that holds the call."""

RECORDING_KINDS: Mapping[str, str] = {
    "completed": "call.recorded",
    "in-progress": IGNORED,
    "paused": IGNORED,
    "stopped": IGNORED,
    "processing": IGNORED,
    "absent": IGNORED,
    "failed": IGNORED,
    "deleted": IGNORED,
}
"""`RecordingStatus`; what the verb Record has made is a voicemail."""

ASIDE_KINDS: Mapping[str, Mapping[str, str]] = {
    "StreamEvent": dict.fromkeys(("stream-started", "stream-stopped", "stream-error"), IGNORED),
    "TranscriptionEvent": dict.fromkeys(
        (
            "transcription-started",
            "transcription-content",
            "transcription-stopped",
            "transcription-error",
        ),
        IGNORED,
    ),
    "SiprecEvent": dict.fromkeys(("siprec-started", "siprec-stopped", "siprec-error"), IGNORED),
}
"""What runs beside a call, by the parameter whose word says what happened to it."""

ALONE: Mapping[str, str] = {"AnsweredBy": "machine_detection", "PaymentSid": "payment"}
"""What is told of a call by itself, without its status, by the parameter that tells it."""
OF_CONFERENCE = "recording/conference"
"""The recording of a conference names no call, and a conference may hold several."""

KINDS: Mapping[str, str] = {
    **STATUS_KINDS,
    **CONFERENCE_KINDS,
    **{f"recording/{word}": kind for word, kind in RECORDING_KINDS.items()},
    **{word: kind for words in ASIDE_KINDS.values() for word, kind in words.items()},
    **dict.fromkeys((*ALONE.values(), OF_CONFERENCE), IGNORED),
    "voicemail": "call.voicemail_left",
    "Digits": "call.menu_selected",
}
