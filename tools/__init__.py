"""Programs that write the registry, the splits and the corrections."""
