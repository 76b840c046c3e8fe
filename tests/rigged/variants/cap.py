"""A broken variant: the allowance is rounded up, as most budgets do it (R-11)."""

from scaleset_operator.core import scene

scene.batch_allowance = lambda total, percent: max(1, -(-total * percent // 100) + 1)
