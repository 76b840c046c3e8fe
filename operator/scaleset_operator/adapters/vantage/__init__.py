"""A second place to see from: the leader asks a standby what it has heard of the silent ones.

A vote can only veto, so the worst that a forged one could do is to hold up a repair on silence;
never does anything here cause one. It must not know verdicts, nor who leads or why.
"""
