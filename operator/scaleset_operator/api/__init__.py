"""The vocabulary: what users write and what the operator reports, with every limit.

Pydantic models of the four kinds, the reason codes, and the generator of their CRDs.
Must not know: the clock, any I/O, kopf, a Kubernetes client, or the rest of the package.
"""
