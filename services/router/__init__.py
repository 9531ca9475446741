"""Router: decides what happens with every contact, and writes it to the ledger."""
