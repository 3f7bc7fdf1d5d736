"""One HTML file of a run, or of several beside each other, that needs nothing beside it."""
