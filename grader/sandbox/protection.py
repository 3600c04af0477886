"""How well a machine is protected from the code in a worker, in four levels."""

from __future__ import annotations

from dataclasses import dataclass

LIMITS = ("computing time", "memory")
BARRIERS = ("reading files", "writing files", "the network", "new processes", "signals")
HIDING = ("names of files",)
MEANING = (
    "a process of its own, and no more",
    "limits on time and memory",
    "limits, and no way to files, the network or other processes",
    "limits, no way out, and a file tree of its own",
)


@dataclass(frozen=True)
class Protection:
    """What a throw-away worker was refused when it tried.

    Attributes
    ----------
    refused, possible : tuple of str
        Forbidden acts that failed, and those that worked.
    """

    refused: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()

    @property
    def level(self) -> int:
        """0 to 3: the highest of which everything holds, and everything below; see `MEANING`."""
        level = 0
        for acts in (LIMITS, BARRIERS, HIDING):
            if not set(acts) <= set(self.refused):
                break
            level += 1
        return level

    def shortfall(self, wanted: int) -> str:
        """Why this is not level `wanted`, and what to do; empty if it is."""
        if self.level >= wanted:
            return ""
        needed = [act for acts in (LIMITS, BARRIERS, HIDING)[:wanted] for act in acts]
        open_ways = ", ".join(act for act in needed if act not in self.refused)
        ways = {
            1: "Linux enforces such limits; elsewhere grade in a Linux container or in WSL.",
            2: "Linux 5.13 or newer with Landlock and seccomp refuses these; a container must "
            "allow both.",
            3: "Install bubblewrap (the command `bwrap`), and allow user namespaces.",
        }
        return (
            f"This machine gives level {self.level} ({MEANING[self.level]}), not level {wanted}: a "
            f"submission is not kept from {open_ways}. {ways[self.level + 1]} To grade all the "
            f"same: --require-level {self.level}"
        )
