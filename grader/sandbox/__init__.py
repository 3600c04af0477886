"""Where strangers' code runs: separate processes, used once, limited in time and memory.

`client` is the grader's side. It starts one `zygote`, a fresh interpreter that knows no answer,
which forks one `worker` per submission. What travels between them is defined in `wire`.

Nothing is imported here: the zygote must stay free of whatever the client needs.
"""
