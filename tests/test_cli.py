import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import typer
from syrupy.assertion import SnapshotAssertion

import segcli as package
from segcli import cli
from segcli.errors import ExitCode, SegcliError
from tests.conftest import Run


def test_bare_it_shows_examples(segcli: Run, snapshot: SnapshotAssertion) -> None:
    done = segcli()
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot


def test_the_versions(segcli: Run) -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    assert segcli("--version").out == (
        f"segcli {package.__version__}\nPython {python}\ntorch {metadata.version('torch')}\n"
    )


def test_the_version_without_torch(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> str:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "version", absent)
    assert segcli("--version").out.endswith("torch not installed\n")


@pytest.mark.parametrize(
    ("argv", "error", "hint"),
    [
        (["parms"], "error: no such command 'parms'. Did you mean 'params'?", "hint: try 'segcli --help'"),
        (["params", "--jason"], "error: no such option: --jason", "hint: try 'segcli params --help'"),
        (["params", "conv", "16"], "error: missing argument 'OUT'", "hint: try 'segcli params conv --help'"),
        (["params", "conv", "x", "64"], "error: invalid value for 'IN'", "hint: try 'segcli params conv --help'"),
        (["params", "--json", "--csv"], "error: --json and --csv were both given, expected one format", ""),
        (
            ["params", "--json", "conv", "16", "64"],
            "error: --json stands before conv, expected it after",
            "hint: segcli params conv ... --json",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_an_error_and_a_hint(segcli: Run, argv: list[str], error: str, hint: str) -> None:
    done = segcli(*argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)
    assert hint in done.err


class BoomError(RuntimeError):
    """Something that nobody foresaw."""


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (SegcliError("a", hint="b", code=ExitCode.UNAVAILABLE), 3, "error: a\nhint: b\n"),
        (SegcliError("a"), 2, "error: a\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (typer.Abort(), 130, "error: interrupted\n"),
        (EOFError(), 130, "error: interrupted\n"),
        (OSError(28, "No space left on device", "out.json"), 2, "error: out.json: No space left on device\n"),
        (OSError("odd"), 2, "error: odd\n"),
        (MemoryError(), 2, "error: out of memory\nhint: use a smaller batch, size or file\n"),
    ],
    ids=lambda value: repr(value) if isinstance(value, BaseException) else "",
)
def test_every_error_becomes_a_message_and_a_code(
    segcli: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str
) -> None:
    raise_in_params(monkeypatch, error)
    done = segcli("params")
    assert (done.code, done.out) == (code, "")
    assert done.err.lstrip("\n") == words


def test_a_bug_is_reported_as_one_with_its_traceback(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_in_params(monkeypatch, BoomError("x"))
    done = segcli("params")
    assert (done.code, done.out) == (70, "")
    assert "Traceback (most recent call last)" in done.err
    assert f"error: this is a bug in segcli {package.__version__}: BoomError: x\n" in done.err


def test_verbose_shows_where_an_error_arose(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_in_params(monkeypatch, SegcliError("a"))
    assert segcli("params").err == "error: a\n"
    verbose = segcli("params", "-v").err
    assert "Traceback" in verbose
    assert verbose.endswith("error: a\n")


def raise_in_params(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("segcli.params.variants.compare", fail)


def test_an_exit_code_comes_through(segcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raise_in_params(monkeypatch, typer.Exit(ExitCode.NO))
    assert segcli("params").code == 1
    raise_in_params(monkeypatch, SystemExit(4))
    assert segcli("params").code == 4


def test_output_goes_to_a_file_and_is_not_overwritten(segcli: Run, tmp_path: Path) -> None:
    destination = tmp_path / "params.json"
    assert segcli("params", "-o", destination).out == ""
    written = destination.read_text()
    assert written == segcli("params", "--json").out
    done = segcli("params", "-o", destination)
    assert (done.code, done.err.splitlines()[0]) == (2, f"error: {destination} exists already")
    assert segcli("params", "-o", destination, "--csv", "--force").code == 0
    assert destination.read_text().startswith("variant,params")


def test_an_input_is_never_the_destination(segcli: Run, tmp_path: Path) -> None:
    config, link = tmp_path / "options.yaml", tmp_path / "link"
    config.write_text("params: {}")
    link.symlink_to(config)
    for destination in (config, link):
        done = segcli("params", "--config", config, "-o", destination, "--force")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"error: -o {destination} is a file that the command itself uses\n")
    done = segcli("loss", f"{config}:logits", "labels.pt", "-o", config, "--force")
    assert "is a file that the command itself uses" in done.err
    assert config.read_text() == "params: {}"
    assert segcli("params", "-o", config, "--force").code == 0


@pytest.mark.parametrize("width", ["0", "7", "\u00b2", "-5", "100000000", "9" * 30, "wide"])
def test_a_width_that_no_terminal_has_is_forgotten(segcli: Run, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", "9999")
    wide = segcli("params").out
    monkeypatch.setenv("COLUMNS", width)
    assert segcli("params").out == wide
    monkeypatch.setenv("COLUMNS", width)
    assert segcli("params", "--help").code == 0


def test_a_bad_destination_is_refused_before_the_work(
    segcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_in_params(monkeypatch, BoomError("the work was done first"))
    assert "there is no folder" in segcli("params", "-o", tmp_path / "absent" / "x.json").err


@pytest.mark.parametrize(
    ("redirection", "error"),
    [
        (">/dev/full", "error: cannot write to standard output: No space left on device\n"),
        ("--json >/dev/full", "error: cannot write to standard output: No space left on device\n"),
        (">&-", "error: standard output is closed\nhint: write to a file with -o, or to /dev/null\n"),
        (">/dev/full 2>&-", ""),
        (">/dev/full 2>/dev/full", ""),
        ("--help >/dev/full", "error: No space left on device\n"),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_an_output_that_cannot_be_written(
    redirection: str, error: str, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    command = f"{sys.executable} -m segcli params {redirection}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - redirections
    assert (done.returncode, done.stdout, done.stderr) == (2, "", error)


def test_a_terminal_that_speaks_ascii(segcli_process: Run) -> None:
    done = segcli_process("params", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.code, done.err) == (0, "")
    assert done.out.isascii()
    assert "\n-----" in done.out


@pytest.mark.parametrize("argv", [["params"], ["--help"]], ids=" ".join)
def test_a_reader_that_goes_away_is_no_traceback(argv: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "segcli", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == ExitCode.BROKEN_PIPE


def test_an_interrupt_is_no_traceback(tmp_path: Path) -> None:
    # A configuration that is read from a pipe nobody writes to: the command waits, and is interrupted there.
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [sys.executable, "-m", "segcli", "params", "--config", str(pipe)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        # Opening to write succeeds once the command has opened to read.
        with pipe.open("w"):
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == ExitCode.INTERRUPTED
        assert process.stderr.read() == "error: interrupted\n"


def completions(shell: str, words: str) -> str:
    """Ask for completions as the shell's own script would."""
    env = {
        **os.environ,
        "_SEGCLI_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run([script()], env=env, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def script() -> str:
    return str(Path(sys.executable).parent / "segcli")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_options_and_values(shell: str) -> None:
    assert "params" in completions(shell, "segcli par")
    assert "--variants" in completions(shell, "segcli params --var")
    assert "standard,depthwise-separable" in completions(shell, "segcli params --variants standard,depthwise-s")


# Each loads what --show-completion prints, types, and prints what the shell offers.
_SHELLS: dict[str, list[str]] = {
    "bash": [
        "-c",
        'eval "$0"; COMP_WORDS=(segcli par); COMP_CWORD=1; _segcli_completion segcli; echo "${COMPREPLY[@]}"',
    ],
    "zsh": ["-fc", 'autoload -Uz compinit; compinit -D; eval "$0"; whence -w _segcli_completion; echo $_comps[segcli]'],
    "fish": ["-c", 'echo $argv[1] | source; complete --do-complete "segcli par"'],
}
_OFFERED = {"bash": "params", "zsh": "_segcli_completion", "fish": "params"}


@pytest.mark.parametrize("shell", _SHELLS)
def test_completion_in_the_shell_itself(shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed here")
    env = {**os.environ, "PATH": f"{Path(script()).parent}:{os.environ['PATH']}", "_SEGCLI_COMPLETE": f"source_{shell}"}
    source = subprocess.run([script()], env=env, capture_output=True, text=True, check=True).stdout
    del env["_SEGCLI_COMPLETE"]
    done = subprocess.run([program, *_SHELLS[shell], source], env=env, capture_output=True, text=True, check=False)
    assert _OFFERED[shell] in done.stdout, done.stderr


def test_any_text_stream_may_stand_in_for_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert cli.run(["params", "--csv"]) == 0
    assert stream.getvalue().startswith("variant,params")


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "segcli", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"segcli {package.__version__}\n")


def test_an_interrupt_while_the_first_modules_load(monkeypatch: pytest.MonkeyPatch) -> None:
    from segcli.__main__ import main

    monkeypatch.setattr(sys, "argv", ["segcli", "--version"])
    assert main() == 0

    class Interrupted:
        def __getattr__(self, _: str) -> Callable[[], int]:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "segcli.cli", Interrupted())
    assert main() == ExitCode.INTERRUPTED


def test_the_front_door_has_five_commands() -> None:
    names = {info.name for info in cli.app.registered_commands} | {info.name for info in cli.app.registered_groups}
    assert names == {"shapes", "params", "loss", "bench", "ckpt"}
