"""What a command ends with when it cannot do its work: one line that says what to do, and a code.

Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 3 the venue failed while it ran, 20 to 27
the journal (`journal.errors`), 130 interrupted. Expected errors never show a traceback; anything
else is a bug, and shows one.
"""

EXIT_FAILED = 1
EXIT_VENUE_FAILED = 3
EXIT_INTERRUPTED = 130


class CommandFailed(Exception):
    """A command could not do its work; the text says why and what to do."""

    def __init__(self, message: str, *, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def explain(error: Exception) -> CommandFailed | None:
    """Return what to tell the user of an expected error, None for one that is a bug."""
    if isinstance(error, CommandFailed):
        return error
    return _of_client(error) or _of_server(error) or _of_system(error)


def _of_client(error: Exception) -> CommandFailed | None:
    from tradewire_client import Refused, TradewireError, Unavailable

    if isinstance(error, Unavailable) and not isinstance(error, Refused):
        distrust = _of_certificate(str(error))
        if distrust:
            return CommandFailed(distrust)
        return CommandFailed(
            f"no venue answers ({_cause(error)}): start one with `tradewire up`, or name one with "
            "--data-dir or --grpc HOST:PORT"
        )
    if isinstance(error, TradewireError):
        return CommandFailed(str(error))
    return None


def _of_certificate(text: str) -> str:
    """Return what to say when the venue answers and its certificate is not accepted, else nothing.

    gRPC has no code for it, only its text.
    """
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("CERTIFICATE_VERIFY_FAILED: ")[2].removesuffix(": OK").rstrip(". ")
        return (
            f"the venue's certificate is not trusted ({why or 'unknown authority'}): name the "
            "certificate of its authority with --tls-ca FILE"
        )
    if "Hostname Verification Check failed" in text:
        return (
            "the venue's certificate is for another host: name the venue as its certificate does, "
            "with --grpc HOST:PORT"
        )
    return ""


def _cause(error: Exception) -> str:
    """Return the last part of gRPC's text, which is the one that people understand."""
    return str(error).rstrip(". ").rpartition(": ")[2]


def _of_server(error: Exception) -> CommandFailed | None:
    from tradewire_server.auth.sealing import MasterKeyError
    from tradewire_server.journal.errors import JournalError

    if isinstance(error, JournalError):
        return CommandFailed(str(error), exit_code=error.exit_code)
    if isinstance(error, MasterKeyError):
        return CommandFailed(str(error))
    return None


def _of_system(error: Exception) -> CommandFailed | None:
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return CommandFailed(f"{place}{error.strerror or error}")
    return None
