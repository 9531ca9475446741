"""The pure part of history: events become rows, rows become answers."""
