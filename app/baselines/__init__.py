"""What a network has to beat: interpolation, climatology, regression on the training data."""
