"""Several threads may parse at once."""

from concurrent.futures import ThreadPoolExecutor

from grader.parsing import parse

SOURCE = "\n".join(f"def f{i}(x):\n    return [x * {i} for _ in range({i})]" for i in range(200))


def test_threads_that_parse_at_once_do_not_upset_each_other():
    with ThreadPoolExecutor(8) as pool:
        trees = list(pool.map(lambda _: parse(SOURCE), range(64)))
    assert {len(tree.body) for tree in trees} == {200}
