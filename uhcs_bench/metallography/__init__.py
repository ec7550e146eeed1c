"""metallography."""
