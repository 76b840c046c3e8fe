"""A broken variant: silence convicts, whatever the others say (rule 18)."""

from scaleset_operator.core import health
from scaleset_operator.core.doubt import Doubtfulness, Found

health.weigh = lambda *_: Found(kind=Doubtfulness.CONVICTED)
