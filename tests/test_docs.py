"""Runs the documentation's Python examples; what terminal examples show is checked by cog in ``make check``."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def examples() -> list[tuple[str, str]]:
    """Return each page's Python blocks, joined: later ones go on where earlier ones stopped."""
    blocks = {
        page.name: re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL) for page in PAGES
    }
    return [(name, "\n".join(found)) for name, found in blocks.items() if found]


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    subprocess.run([sys.executable, str(ROOT / "docs/examples/inputs.py"), str(folder)], check=True)
    return folder


@pytest.mark.parametrize(("name", "code"), examples(), ids=lambda value: value if value.endswith(".md") else "")
def test_python_examples_run(name: str, code: str, inputs: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=inputs, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{name}: {done.stderr}"


def test_every_command_is_documented() -> None:
    reference = (ROOT / "docs/cli.md").read_text()
    for name in ("shapes", "params", "loss", "bench", "ckpt"):
        assert f"\n## segcli {name}\n" in reference
        assert (ROOT / f"docs/{name}.md").exists()


def test_the_tutorial_shows_the_sources() -> None:
    shown = set(re.findall(r'--8<-- "(.*?)"', (ROOT / "docs/tutorial.md").read_text()))
    assert shown == {f"docs/examples/{name}" for name in ("photographs.py", "train.py", "demo.sh")}
    assert all((ROOT / name).exists() for name in shown)


def test_every_terminal_example_is_produced() -> None:
    """A console block outside cog's marks would be prose that nobody checks."""
    for page in PAGES:
        unproduced = re.sub(r"<!-- \[\[\[cog.*?\[\[\[end\]\]\]", "", page.read_text(), flags=re.DOTALL)
        typed = [line for line in unproduced.splitlines() if line.startswith("$ ") and not line.startswith("$ make ")]
        assert typed == [], page.name


def test_the_tutorials_script_is_the_demos() -> None:
    assert "docs/examples/demo.sh" in (ROOT / "Makefile").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
