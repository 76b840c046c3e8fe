"""The node agent: outbound ports by nftables and conntrack, and the pause of an instance in place.

It carries out on one node what `core` decided. Must not know the API client, kopf or how an
allocation comes about: `__main__` wires it, and nothing else imports it.
"""
