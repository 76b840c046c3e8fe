"""The world we drive: the cluster and the prober. Must not know kopf, nor decide anything."""
