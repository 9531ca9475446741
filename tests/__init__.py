"""What Tellonce promises, and how each promise is tested."""
