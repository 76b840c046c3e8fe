"""A cluster in memory, in virtual time: what the loop's ports need, so that it can be rehearsed.

Fakes in the strict sense: they work, and one contract suite holds them to what a real API server
does. The same inputs give the same acts; chance is an argument. Must not know: a clock, a socket, a
client, or what is decided; nothing that drives a real cluster imports it.
"""
