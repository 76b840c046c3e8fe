"""Writes what would be written twice: roles from the list of rights, install.yaml, the Helm chart.

Their sources are the code, crds/ and the kustomizations. `make manifests` runs it, and
`make manifests-check` compares. Must not know: a cluster, kustomize or Helm.
"""
