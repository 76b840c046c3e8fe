"""What a fake API server answers instead of an object.

It must not know which client asked.
"""

FORBIDDEN, NOT_FOUND, CONFLICT, INVALID, EXISTS = 403, 404, 409, 422, 4_091
"""HTTP codes; EXISTS is the 409 whose reason is AlreadyExists."""


class ServerError(Exception):
    """What the server answers instead of an object.

    Attributes:
        code: the HTTP code, or EXISTS.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def check_preconditions(
    found: tuple[str, int], uid: str | None = None, version: str | None = None
) -> None:
    """ServerError 409 where the object is not the one that was meant.

    Args:
        found: UID and resourceVersion of the object.
        uid: that it must have.
        version: likewise.
    """
    if uid is not None and uid != found[0]:
        message = f"the UID in the precondition: {uid}, of the object: {found[0]}"
        raise ServerError(CONFLICT, message)
    if version is not None and version != str(found[1]):
        message = f"the resourceVersion asked for is {version}, {found[1]} is current"
        raise ServerError(CONFLICT, message)
