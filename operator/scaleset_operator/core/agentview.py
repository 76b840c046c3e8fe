"""What the operator last read of a node's agent, as a decision sees it.

Ages are by the operator's own clock, from when a report was seen to change: what the node's clock
says decides nothing here. Values that an adapter fills in; nothing here chooses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from scaleset_operator.api.agentreport import PauseState


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseAnswer:
    """What an agent says of the pause of one pod.

    Attributes:
        id: of the request that it answers.
    """

    id: str
    state: PauseState
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """One agent's report, as it was last read.

    Attributes:
        read: when it was read.
        version: of the report; None where none can be found or understood.
        renewed: when it was last seen to be another than before; None while it has been seen in
            one state only, for then it may be of any age.
        answers: pod UID -> the answer to the request on that pod.
    """

    read: datetime
    version: str | None = None
    renewed: datetime | None = None
    answers: Mapping[str, PauseAnswer] = field(default_factory=dict)
