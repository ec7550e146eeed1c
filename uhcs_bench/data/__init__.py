"""The registry and the paper's numbers, as data, and the program that writes the registry."""
