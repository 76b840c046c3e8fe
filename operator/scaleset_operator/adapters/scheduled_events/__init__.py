"""What an instance asks from inside: which events are coming to its set, and that one may come now.

Decides nothing: a document is what the recorded status says, and an approval is written on the pod
as a person writes it. Whatever arrives here is bounded, and never trusted.
"""
