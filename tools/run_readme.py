"""Run the code blocks of README.md, so that what people copy is what was tested.

usage: python tools/run_readme.py python
           every python block, each as a script of its own in an empty folder
       python tools/run_readme.py shell NAME
           the sh block that follows the line <!-- ci: NAME -->, in the current folder
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(
    r"(?:^<!-- ci: (?P<name>\w+) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One fenced block: its mark (or nothing), its language, its text, and its first line."""

    name: str | None
    language: str
    code: str
    line: int


def read_blocks(text: str) -> list[Block]:
    """All fenced blocks of a Markdown text that name a language."""
    return [
        Block(m["name"], m["language"], m["code"], text.count("\n", 0, m.start("code")) + 1)
        for m in BLOCK.finditer(text)
    ]


def run_python(blocks: list[Block]) -> None:
    """Run each block in a folder of its own; the first that fails ends the run with its line."""
    if not blocks:
        sys.exit(f"{README.name} has no python block")
    for block in blocks:
        print(f"--- {README.name}:{block.line}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-c", block.code], cwd=folder, check=False)
        if done.returncode:
            sys.exit(f"{README.name}:{block.line}: this block failed:\n{block.code}")
    print(f"{len(blocks)} python blocks ran")


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
    blocks = read_blocks(README.read_text(encoding="utf-8"))
    match arguments:
        case ["python"]:
            run_python([block for block in blocks if block.language == "python"])
        case ["shell", name]:
            run_shell([block for block in blocks if block.language == "sh"], name)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
