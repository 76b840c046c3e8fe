"""What drives us: kopf's events for the custom resources, turned into keys. Nothing else.

The only room that knows kopf. Handlers put what they hear where the loop finds it and say which
key it concerns; they decide nothing, write nothing and wait for nothing.
"""
