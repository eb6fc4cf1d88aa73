"""Run the code blocks of README.md and docs/*.md, so that what people copy is what was tested.

usage: python tools/run_readme.py python
           every python block, each as a script of its own in an empty folder; those that follow the
           line <!-- ci: MODULE --> only where that module is installed
       python tools/run_readme.py shell NAME
           the sh block of README.md that follows the line <!-- ci: NAME -->, in the current folder
"""

import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(
    r"(?:^<!-- ci: (?P<name>\w+) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One fenced block: its page, its mark (or nothing), its text and its first line."""

    page: str
    name: str | None
    code: str
    line: int

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read_blocks(page: Path, language: str) -> list[Block]:
    """All fenced blocks of a Markdown file in one language."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page.name, m["name"], m["code"], text.count("\n", 0, m.start("code")) + 1)
        for m in BLOCK.finditer(text)
        if m["language"] == language
    ]


def run_python(blocks: list[Block]) -> None:
    """Run each block in a folder of its own; the first that fails ends the run with its line."""
    present = [block for block in blocks if block.name is None or find_spec(block.name)]
    if not present:
        sys.exit("there is no python block")
    for block in present:
        print(f"--- {block}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-c", block.code], cwd=folder, check=False)
        if done.returncode:
            sys.exit(f"{block}: this block failed:\n{block.code}")
    print(f"{len(present)} python blocks ran, {len(blocks) - len(present)} need what is absent")


def run_shell(blocks: list[Block], name: str) -> None:
    """Run the one block marked ``name``, stopping at the first command that fails."""
    marked = [block for block in blocks if block.name == name]
    if len(marked) != 1:
        sys.exit(f"{README.name} has {len(marked)} sh blocks marked '<!-- ci: {name} -->', not one")
    print(marked[0].code, flush=True)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", marked[0].code], check=False)
    sys.exit(done.returncode)


def main(arguments: list[str]) -> None:
    """Dispatch on the first argument."""
    match arguments:
        case ["python"]:
            pages = [README, *sorted(ROOT.glob("docs/*.md"))]
            run_python([block for page in pages for block in read_blocks(page, "python")])
        case ["shell", name]:
            run_shell(read_blocks(README, "sh"), name)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
