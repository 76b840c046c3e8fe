"""One process that answers for every pod of a cluster, each as its script says.

It listens on all of 127.0.0.0/8 at one port and knows an instance by the address it was called at.
It must not know that the addresses belong to pods.
"""
