"""Reading: files as people have them become fields in canonical order, aligned in time."""
