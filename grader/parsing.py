"""Parse Python source from several threads.

CPython's parser keeps a count for the whole process while it makes syntax trees; two threads at
once can upset it ("AST constructor recursion depth mismatch"). One at a time is safe.
"""

from __future__ import annotations

import ast
import threading

one_at_a_time = threading.RLock()


def parse(source: str) -> ast.Module:
    """`ast.parse`, one thread at a time.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        As `ast.parse` does.
    """
    with one_at_a_time:
        return ast.parse(source)
