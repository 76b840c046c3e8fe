"""A broken variant: Enforce asks no PodDisruptionBudget (DisruptionBudget)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core import gates

asked = tuple(gate for gate in gates.OF_THE_INSTANCE if gate.__name__ != "budget_gate")
assert len(asked) == len(gates.OF_THE_INSTANCE) - 1, "the gate to be left out is not there"
MonkeyPatch().setattr(gates, "OF_THE_INSTANCE", asked)
