"""Tells a reader the steps and findings of a story: lines while the story runs, a JSON report at the end."""
