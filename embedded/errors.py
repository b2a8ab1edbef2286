"""The one error of the local host: something a person has to put right, said in one sentence."""


class EmbeddedError(Exception):
    """The local host cannot start or go on; the message says what to do about it."""
