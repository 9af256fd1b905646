"""The command line: parse, call, print."""

from collections.abc import Sequence

import click

from acmodels.cli import loops, models, start, studies, theory
from acmodels.cli.common import fail
from acmodels.cli.group import SECTIONS, main
from acmodels.errors import AcmodelsError, DataError

__all__ = ["SECTIONS", "loops", "main", "models", "run", "start", "studies", "theory"]


def run(args: Sequence[str] | None = None) -> None:
    """Run the command line and end the process.

    Exit codes: 0 done; 2 bad input; 3 a diagnostic failed; 130 interrupted.
    """
    try:
        main.main(args=None if args is None else list(args), standalone_mode=False)
    except click.exceptions.Exit as error:
        raise SystemExit(error.exit_code) from None
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        raise SystemExit(2) from None
    except click.UsageError as error:
        fail([error.format_message(), _usage(error)])
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; nothing unfinished was written", err=True)
        raise SystemExit(130) from None
    except click.ClickException as error:
        fail([error.format_message()])
    except AcmodelsError as error:
        fail([*str(error).splitlines(), *_noticed(error)], error.exit_code)
    except BrokenPipeError:
        raise SystemExit(0) from None
    except MemoryError:
        fail(["out of memory; fit fewer rows, chains or draws"])


def _noticed(error: AcmodelsError) -> list[str]:
    """Return what was noticed while the data were read, which may be the reason of an error."""
    found = error.findings if isinstance(error, DataError) else ()
    return list(dict.fromkeys(f"{f.severity}: {f.message}" for f in found))


def _usage(error: click.UsageError) -> str:
    return error.ctx.get_usage() if error.ctx is not None else ""
