"""A backup is taken, the stack is lost, and another one goes on from the backup."""
