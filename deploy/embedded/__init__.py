"""The embedded stack: nats-server and Postgres from their wheels, and the four services, on loopback.

Nothing here imports a driver; servers are spoken to by the few lines of `wire`.
"""
