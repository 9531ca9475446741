"""Stands before `rich` in the processes that tests start: only a tool of `make check` brings it into the environment.

No image has it, and structlog would import it in each of some hundred processes.
"""

raise ImportError("the product runs without it")
