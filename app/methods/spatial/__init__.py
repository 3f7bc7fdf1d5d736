"""What methods that make fields finer have in common: checks, the model, and its building."""
