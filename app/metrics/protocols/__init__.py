"""Tables of scores by the definitions of others."""
