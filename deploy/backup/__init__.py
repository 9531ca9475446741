"""Backups of a cell: whole streams as files, put back by the server itself (docs/adr/0082)."""
