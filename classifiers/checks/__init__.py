"""What verifies a value: checksums and structure by name, one module per region or family."""
