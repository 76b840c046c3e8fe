r"""Scale sets for Kubernetes, watched from outside and repaired with care.

              __main__              the command line, and the only caller of the clock
             /    |   \
            /  operation \          wires the parts together and keeps them running
           /  /   |     \ \
        cli handlers settings adapters agent    asked | driven | how we run | driving | on each node
         |  \  \   |     /    /
   rehearsal \  \  |    /    /      a cluster in memory, in virtual time: what `simulate` runs on
          \   \  \ |   /    /
             reconciler    /        the loop: observe, decide, record, act
                  |       /
                core                the decisions: no I/O, no clock, no logging
                  |
                 api                the words: what users write, what we report

Imports go down the lines only.
"""

__version__ = "0.1.0"
