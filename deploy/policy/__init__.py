"""What an operator does with policies: check one, compare two, put one in force, and ask why something was decided."""
