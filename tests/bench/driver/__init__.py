"""What `compare` and `counts` are made of: only Python's own library."""
