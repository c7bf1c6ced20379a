"""Operators on constants, which take no gates: their values."""

from collections.abc import Sequence

from gen.plan.netgraph import Node

__all__ = ["folded", "matches"]


def folded(node: Node, args: Sequence[Node]) -> int | None:
    """The value of a few operators on constants."""
    values = [
        each.data - (1 << each.width) if each.signed and each.data >> each.width - 1 else each.data
        for each in args
    ]
    match node.kind:
        case "slice":
            return args[0].data >> node.data[0]
        case "cat":
            value, at = 0, 0
            for each in args:
                value |= each.data << at
                at += each.width
            return value
        case "fit" | "u" | "s":
            return values[0]
        case "~":
            return ~values[0]
        case "+":
            return sum(values)
        case "-":
            return -values[0] if len(values) == 1 else values[0] - values[1]
        case "&":
            return values[0] & values[1]
        case "|":
            return values[0] | values[1]
        case "==":
            return values[0] == values[1]
        case "!=":
            return values[0] != values[1]
        case "b" | "r|":
            return int(values[0] != 0)
    return None


def matches(test: Node, patterns: Sequence[str] | None) -> bool:
    """Whether a constant is one of the patterns."""
    if patterns is None:
        return True
    text = format(test.data, f"0{test.width}b") if test.width else ""
    return any(
        all(p in ("-", t) for p, t in zip(pattern, text, strict=True)) for pattern in patterns
    )
