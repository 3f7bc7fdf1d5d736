"""How candidates and maps look in every figure."""
