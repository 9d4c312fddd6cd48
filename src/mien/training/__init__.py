"""Training: recipes, the loop, and a run from start to end."""
