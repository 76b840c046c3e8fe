"""How audiences are told of maintenance outside of the cluster: by CloudEvents, or through apprise.

Where each is reached stands in files, as a Secret is mounted. Decides nothing: what is told, and
when again, is said by the loop.
"""
