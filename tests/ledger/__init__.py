"""The ledger contract: the twin, one node and three nodes hold the same rules."""
