"""The decisions: what is chosen, and why. No I/O, no clock, no logging."""
