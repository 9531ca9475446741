"""Two versions side by side on one stack."""
