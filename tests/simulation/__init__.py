"""A shop's week against the router in memory: people, shifts and faults drawn from a seed, on a clock of its own."""
