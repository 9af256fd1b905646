"""The group of commands, and what help says of them."""

import click

from acmodels.errors import did_you_mean

EPILOG = """New here? `acmodels demo` shows everything on a synthetic study, `acmodels new FOLDER` \
writes files to start from, `acmodels COMMAND --help` explains one command."""

SECTIONS = {
    "Start": ("demo", "new", "planner", "completion", "compile"),
    "Data": ("check", "scales", "export", "simulate", "worlds"),
    "Models": ("fit", "priors", "tables", "recover", "calibrate"),
    "Framework": ("test", "model", "framework", "propositions", "rivals", "preregister"),
    "Planning": ("power", "pilot"),
}
"""Commands as help lists them; a command in none of these is listed last."""


class Commands(click.Group):
    """A group that says what was meant when a command is unknown."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is named with its nearest neighbor."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            names = list(self.commands)
            raise click.UsageError(
                f"no command '{args[0]}'{did_you_mean(args[0], names)} "
                f"(commands: {', '.join(names)})"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands by what they are for, each with its whole first sentence."""
        placed = {c for names in SECTIONS.values() for c in names}
        rest = {"More": tuple(c for c in self.list_commands(ctx) if c not in placed)}
        for section, names in (SECTIONS | rest).items():
            rows = [
                (n, (self.commands[n].help or "").split("\n\n")[0].replace("\n", " "))
                for n in names
                if n in self.commands
            ]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="acmodels", prog_name="acmodels")
def main() -> None:
    """Hierarchical Bayesian models of how school districts learn from outside partners."""
