"""Places where jobs run; they know nothing of waves."""
