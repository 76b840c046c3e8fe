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
