"""The story player: plays a YAML story through the real doors of a running stack and checks what people saw.

It imports no service and speaks only HTTP, WebSocket, SMTP and NATS requests, as a stranger could.
The format is described in `docs/reference/stories.md`.
"""

from deploy.story.command_line import main

__all__ = ["main"]
