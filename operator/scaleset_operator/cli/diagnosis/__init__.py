"""What `doctor` looks at: each check a pure function from what was read to a `Check`.

A check claims nothing it cannot see: what cannot be read, or proves nothing, is Unknown. Only
`examination` reads the cluster.
"""
