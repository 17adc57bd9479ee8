"""What the structure tests read from source files: imports, includes, lengths and signatures."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Import:
    """One import statement of a Python file."""

    module: str  # dotted; of `from a import b`, both "a.b"
    line: int
    function: str | None  # the outermost function it stands in: None if it runs with the module
    typing_only: bool  # under `if TYPE_CHECKING`


def python_imports(text: str, package: str) -> list[Import]:
    """Return the imports of a file of `package` (for relative ones)."""
    return list(_imports(ast.parse(text), package, None, False))


def _imports(node: ast.AST, package: str, function: str | None, typing_only: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inside, typed = function, typing_only
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = function or child.name
        elif isinstance(child, ast.If):
            typed = typed or (isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING")
        elif isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, function, typing_only) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - child.level + 1]) if child.level else ""
            base = ".".join(filter(None, [base, child.module]))
            yield from (Import(f"{base}.{a.name}", child.lineno, function, typing_only) for a in child.names)
        yield from _imports(child, package, inside, typed)


def python_functions(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, number of lines without the docstring, and number of arguments without self."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, int, int]]:
        for child in ast.iter_child_nodes(node):
            name = prefix
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{prefix}{child.name}."
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield name[:-1], _length(child), _n_arguments(child)
            yield from walk(child, name)

    return walk(ast.parse(text), "")


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def _n_arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([a for a in named if a.arg not in ("self", "cls")]) + bool(arguments.vararg)


def cpp_includes(text: str) -> list[str]:
    """Return the included paths of a C++ file, comments left out."""
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', _blank_comments(text), re.MULTILINE)


def cpp_code(text: str) -> str:
    """Return C++ text with comments, strings and characters blanked, line by line as it was."""
    return re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', '""', _blank_comments(text))


def _blank_comments(text: str) -> str:
    pattern = r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/'
    return re.sub(
        pattern,
        lambda m: m[0] if m[0].startswith('"') else "\n" * m[0].count("\n"),
        text,
        flags=re.DOTALL,
    )


_NOT_A_FUNCTION = re.compile(r"^\s*(?:(?:if|for|while|switch|catch|do|else|try)\b|.*\]\s*\()", re.DOTALL)


def cpp_functions(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield name, number of lines and number of arguments of each function body.

    Reads braces and parentheses only, so it takes for a function what has a parameter list before a brace.
    """
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", cpp_code(text), flags=re.MULTILINE)
    header_begin, parentheses = 0, 0
    stack: list[
        tuple[str, int, int] | None
    ] = []  # (name, first line, arguments) of functions, None of others
    line_of = [0]
    for character in code:
        line_of.append(line_of[-1] + (character == "\n"))
    for at, character in enumerate(code):
        if character in "()":
            parentheses += 1 if character == "(" else -1
        if parentheses or character not in "{};":
            continue
        header = code[header_begin:at]
        header_begin = at + 1
        if character == "{":
            inside = any(stack)
            name_and_count = None if inside else _cpp_signature(header)
            first = line_of[at - len(header.lstrip())]
            stack.append((name_and_count[0], first, name_and_count[1]) if name_and_count else None)
        elif character == "}" and (function := stack.pop() if stack else None):
            yield function[0], line_of[at] - function[1] + 1, function[2]


def _cpp_signature(header: str) -> tuple[str, int] | None:
    if _NOT_A_FUNCTION.match(header) or "(" not in header:
        return None
    before, _, rest = re.sub(r"^\s*template\s*<[^{}]*?>\s*(?=\w|\[)", "", header).partition("(")
    name = re.search(r"(~?[\w:<>]+|operator\s*\S+)\s*$", before)
    if not name or "=" in before.replace("operator", ""):
        return None
    depth, n, some = 1, 1, False
    for character in rest:
        depth += {"(": 1, "{": 1, "[": 1, "<": 1, ")": -1, "}": -1, "]": -1, ">": -1}.get(character, 0)
        if depth == 0:
            break
        some = some or not character.isspace()
        n += character == "," and depth == 1
    return name[1], n if some else 0
