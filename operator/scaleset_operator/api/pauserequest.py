"""What asks a node's agent for the pause of an instance in place: one annotation on the pod (M-02).

The operator writes it, the agent of the pod's node answers in its report, by the id. Taken away
before the pause is over, it ends the pause early.
Must not know: when an instance is paused, or how.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import Field, ValidationError

from scaleset_operator.api.base import LABEL_PREFIX, Model, Time

ANNOTATION_PAUSE: Final = f"{LABEL_PREFIX}/pause"
MAX_PAUSE_S: Final = 300
"""Whoever asks for more has made a mistake: the source speaks of about 30 seconds."""


class PauseRequest(Model):
    """A pause that is asked for."""

    id: str = Field(min_length=1, max_length=64, pattern="^[A-Za-z0-9]([A-Za-z0-9._-]*)$")
    """Tells this request from any other; a request that was answered is not carried out again."""
    deadline: Time
    """A pause that could not begin by then, by the node's clock, is refused; it is not the end of
    one that has begun."""
    seconds: Annotated[int, Field(ge=1, le=MAX_PAUSE_S)]
    """How long it stands still, counted on the node from the moment when it does."""

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> "Self | str | None":
        """The request among a pod's annotations; None for none, text that says what is wrong."""
        text = annotations.get(ANNOTATION_PAUSE)
        if text is None:
            return None
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            told = (
                f"{'.'.join(map(str, one['loc'])) or ANNOTATION_PAUSE}: {one['msg']}"
                for one in error.errors(include_url=False)
            )
            return "; ".join(told)

    def text(self) -> str:
        """What goes into the annotation."""
        return self.model_dump_json(by_alias=True)
