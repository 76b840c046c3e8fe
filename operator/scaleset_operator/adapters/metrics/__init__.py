"""What the operator measures of itself, as Prometheus reads it.

`series` names every series there is; the others fill them, from what the loop tells on a change and
from what the parts hold when asked. Chooses nothing, and nothing that is decided may depend on it.
"""
