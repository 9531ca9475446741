"""What the house costs, as ratios to the bare parts: `python -m tests.bench`. No figure is asserted."""
