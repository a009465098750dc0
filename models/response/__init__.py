"""A case after its alert: whether the measures that were taken helped."""
