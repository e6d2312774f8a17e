"""What compare measures, one value for each line of its result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """What is run: a line of the result."""

    kind: str  # saturated, fixed, limit, churn, memory, generator or workers
    transport: str = "udp"
    size: int = 160
    sessions: int = 1

    def title(self) -> str:
        return f"{self.transport} {self.size} B × {self.sessions:,}"
