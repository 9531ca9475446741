"""The embedded stack and the command line, against real servers and dummy services."""
