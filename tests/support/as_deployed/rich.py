"""Stands before `rich` in the tests and what they start: only a tool of `make check` brings it into the environment.

No image has it, and structlog would import it in each of some hundred processes and render tracebacks by it.
"""

raise ImportError("the product runs without it")
