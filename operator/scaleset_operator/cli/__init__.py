"""The kubectl plugin: reads the cluster, asks `core`, prints.

Must not know the API client, kopf or the environment's ways of reaching a cluster: `__main__` hands
it a connection. It chooses nothing: what it says about a set is what `core` says about it.
"""
