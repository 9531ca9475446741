"""The decisions of notify: plain functions, no clock, no bus, no mail server."""
