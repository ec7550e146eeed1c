"""Programs for the work on the package; they are in no wheel."""
