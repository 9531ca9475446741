"""Providers on a bad day: what they do to messages, answers and deliveries, the same again for the same seed."""
