"""A kind cluster of one control-plane and two worker nodes: real nodes, real pods, real kubelets.

With Docker and a network it is `kind create cluster` and nothing else. What a machine needs on
which that cannot be stands in `restricted`, and is used only there. It must not know what is
deployed in the cluster.
"""
