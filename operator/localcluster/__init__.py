"""A real Kubernetes control plane as plain processes, with pretended nodes and scripted answers.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler on loopback, KWOK in the place of
the kubelets, and one responder that answers for every pod. It serves tests, benchmarks and the
demo. It knows nothing of the operator, and nothing of the operator may import it.
"""
