"""What helps a user to begin: files made for his data, shipped examples, completion of flags."""
