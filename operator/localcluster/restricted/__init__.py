"""What a machine needs on which no image can be pulled, or that may not do what engines expect.

A private container engine with files, socket and images of its own, node and component images
made from Go modules and Debian packages, and a pod network without images. Nothing here is used on
an ordinary machine, and nothing here touches what Docker keeps for one. It must not know what runs
in the cluster.
"""
