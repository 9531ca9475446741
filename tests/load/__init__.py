"""A day of a shop under load, in an hour or less, and what must hold at its end."""
