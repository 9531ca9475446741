"""Reading a story: the shape of its file, and what stands in it for something else."""
