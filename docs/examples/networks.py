"""Parts of what `segcli params net` and `module` print, for params.md: the pages do not repeat whole networks."""

import subprocess

import terminal


def claims(command: str) -> None:
    """Show a command with what it says of claims, of which at least one must be wrong."""
    part(command, "claim", expect=1)


def part(command: str, begin: str, *, expect: int = 0) -> None:
    """Show a command with those of its tables whose titles begin with a word.

    Args:
        command: As typed in a shell.
        begin: How the titles begin.
        expect: The exit code that it must have.

    Raises:
        RuntimeError: Where it has another, or no such table.
    """
    done = subprocess.run(  # noqa: S602 - as typed in a shell
        command, shell=True, cwd=terminal.folder(), stdout=subprocess.PIPE, text=True, check=False
    )
    tables = [table for table in done.stdout.split("\n\n") if table.startswith(begin)]
    if done.returncode != expect or not tables:
        message = f"{command} ended with {done.returncode} and {len(tables)} such tables"
        raise RuntimeError(message)
    print(f"\n```console\n$ {command}\n...\n\n" + "\n\n".join(table.rstrip() for table in tables) + "\n```\n")
