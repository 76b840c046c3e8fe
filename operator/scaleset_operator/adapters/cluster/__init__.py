"""The Kubernetes side of the ports: one connection, a pod cache, and the acts of the loop.

Must not know: kopf, the prober, or why anything is done.
"""
