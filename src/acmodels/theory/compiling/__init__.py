"""Claims to models: which columns, rows and units, what is adjusted for, and the equations."""


class NotTestable(Exception):  # noqa: N818 - an answer, and no error
    """The data lack what a claim needs, in one sentence."""
