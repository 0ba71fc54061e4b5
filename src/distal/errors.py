"""The one exception that means "the user's input is wrong"; knows nothing of where it is raised or shown.

`cli` turns an `InputError` into one line on stderr and exit code 2. Its message says what is wrong, where
(file and line when there is one) and what to do about it. Everything else that escapes is our fault.
"""


class InputError(ValueError):
    """The user's input cannot be used as it is: what, where, and the remedy, in one sentence."""
