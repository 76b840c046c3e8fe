"""The prober: a process of its own that tries endpoints and reports how each attempt ended.

In the child: `process` wires `engine` (the loop), `attempt` (one try), `schedule` (when),
`references` (does the prober itself see anything) and `outbox` (what goes back).
In the operator: `link` starts and supervises the child, `evidence` keeps what it reported.
`wire` is all that the two sides share. It reports outcomes and must never form a verdict.
This file imports nothing, so that the child starts small.
"""
