"""Runs the commands that the documentation shows; cog puts their real output into the pages.

A page says ``terminal.show("segcli params")``. Commands run in a folder of their own that holds the inputs of
``inputs.py``; what they write there is seen by the commands that follow on the same page.
"""

import atexit
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path


@cache
def _folder(page: str) -> Path:  # noqa: ARG001 - the cache's key: every page starts afresh
    folder = Path(tempfile.mkdtemp(prefix="segcli-docs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    inputs = Path(__file__).parent / "inputs.py"
    subprocess.run([sys.executable, str(inputs), str(folder)], check=True)  # noqa: S603 - our own script
    return folder


def use(script: str) -> None:
    """Run another script of this folder that writes inputs, for the commands that follow on the page."""
    subprocess.run([sys.executable, str(Path(__file__).parent / script), str(_folder(_page()))], check=True)  # noqa: S603 - our own script


def bring(name: str) -> None:
    """Copy a file or folder of these examples to where the page's commands run."""
    source = Path(__file__).parent / name
    (shutil.copytree if source.is_dir() else shutil.copy)(source, _folder(_page()) / name)


def output(command: str) -> str:
    """Return what a command writes to standard output, in the page's folder."""
    return subprocess.run(  # noqa: S602 - as typed in a shell
        command, shell=True, cwd=_folder(_page()), stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def folder() -> Path:
    """Return where the page's commands run."""
    return _folder(_page())


def show(*commands: str, expect: int = 0, language: str = "console") -> None:
    """Print a code block that holds each command and what it writes, to both streams.

    Args:
        commands: As typed in a shell.
        expect: The exit code that the last command must have.
        language: How the block is highlighted.
    """
    # Markdown wants the fence apart from cog's comment.
    print(f"\n```{language}")
    for command in commands:
        print(f"$ {command}")
        code = _run(command)
    print("```\n")
    if code != expect:
        message = f"{commands[-1]} ended with {code}, and the page expects {expect}"
        raise RuntimeError(message)


def _page() -> str:
    """Return the page that cog works on; cog makes a module of that name while it runs."""
    return str(getattr(sys.modules["cog"], "inFile"))  # noqa: B009 - no type information


def _run(command: str) -> int:
    done = subprocess.run(  # noqa: S602 - the pages show what is typed in a shell
        command,
        shell=True,
        cwd=_folder(_page()),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print("\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines()))
    return done.returncode


def reference() -> None:
    """Print the help screen of every command under a heading, walking down from the program."""
    import typer.main

    from segcli.cli import app

    def walk(command: object, path: tuple[str, ...]) -> None:
        print(f"\n## {' '.join(path)}")
        show(" ".join((*path, "--help")))
        below: dict[str, object] = getattr(command, "commands", {})
        for name, child in below.items():
            walk(child, (*path, name))

    walk(typer.main.get_command(app), ("segcli",))
