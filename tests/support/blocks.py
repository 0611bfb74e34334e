"""blocks.py - the fenced blocks of a document: what it shows is what happens.

blocks.py FILE LANGUAGE   prints the blocks of that language, one after the other
blocks.py --run FILE      runs the document in the current folder

A document that is run has blocks of
    sh          commands, all of which one shell runs; each must end with status 0
    text        what the commands before print, on stdout and stderr together; before the
                first ones something to look at
    any other   a file, if the line before is `NAME`: alone, else something to look at
In text, "..." stands for anything within its line, and alone for any number of lines;
times and rates (4.2 s, 30 ms, 1.5 GB/s) are as good as any other.
"""
import os
import re
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
VARIES = re.compile(r"\b\d+(\.\d+)? (s|ms|us|GB/s)\b")


class Block:
    def __init__(self, language, text, before):
        self.language, self.text = language, text
        self.line = before.count("\n") + 1
        name = re.search(r"^`(\S+)`:\n\n?\Z", before, re.M)
        self.name = name.group(1) if name else None


def blocks(path):
    with open(path, encoding="utf-8") as f:
        document = f.read()
    return [Block(found.group(1), found.group(2), document[:found.start()])
            for found in FENCE.finditer(document)]


def of_language(path, language):
    return [block.text for block in blocks(path) if block.language == language]


def without_times(text):
    return "".join(VARIES.sub(r"0 \2", line).rstrip() + "\n" for line in text.splitlines())


def fits(shown, printed):
    """Whether what was printed is what the document shows."""
    pattern = re.escape(without_times(shown))
    pattern = re.sub(r"^\\\.\\\.\\\.\n", r"(?:.*\n)*", pattern.replace("\\\n", "\n"), flags=re.M)
    return re.fullmatch(pattern.replace(r"\.\.\.", ".*"), without_times(printed)) is not None


def script_of(document):
    """All commands, and the files between them; block N of commands prints into a file N."""
    parts = ["set -eu"]
    for n, block in enumerate(document):
        if block.language == "sh":
            parts.append(f'exec >"$BLOCKS/{n}" 2>&1\n{block.text}')
        elif block.language != "text" and block.name:
            parts.append(f"cat >'{block.name}' <<'END OF BLOCK'\n{block.text}END OF BLOCK")
    return "\n".join(parts)


def run(document, printed_in):
    """What is wrong; None: nothing."""
    status = subprocess.run(["bash", "-c", script_of(document)], check=False,
                            env={**os.environ, "BLOCKS": printed_in}).returncode
    commands, printed = None, ""
    for n, block in enumerate(document):
        if block.language == "sh" and os.path.exists(f"{printed_in}/{n}"):
            commands = block
            with open(f"{printed_in}/{n}", encoding="utf-8") as f:
                printed = f.read()
        elif block.language == "sh":
            break
        elif block.language == "text" and commands and not fits(block.text, printed):
            return f"line {block.line}: the commands before print this (status {status}):\n{printed}"
    return f"line {commands.line}: status {status}:\n{printed}" if status else None


def main():
    if sys.argv[1] != "--run":
        print("".join(of_language(*sys.argv[1:])), end="")
        return
    document = blocks(sys.argv[2])
    with tempfile.TemporaryDirectory() as printed_in:
        wrong = run(document, printed_in)
    if wrong:
        sys.exit(f"{sys.argv[2]}, {wrong}")
    languages = [block.language for block in document]
    print(f"{languages.count('sh')} blocks of commands, {languages.count('text')} of what they print")


if __name__ == "__main__":
    main()
