"""What is decided: pure values and functions, no I/O."""
