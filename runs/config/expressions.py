"""Arithmetic in configurations, such as L_tau = "round(4 * L**1.5)", evaluated without `eval`."""

import ast
import math
import operator
from collections.abc import Callable, Mapping

_OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: math.pow,
    ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "round": round, "ceil": math.ceil, "floor": math.floor, "sqrt": math.sqrt, "max": max, "min": min,
}  # fmt: skip


def evaluate(text: str, names: Mapping[str, float]) -> float:
    """Return the value of an arithmetic expression of `names`; all numbers are floats and bounded.

    Known are + - * / // % ** ( ) and round, ceil, floor, sqrt, max, min; ValueError for anything else.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
        return float(_value(tree.body, names))
    except (SyntaxError, ZeroDivisionError, OverflowError, RecursionError, MemoryError, TypeError) as error:
        raise ValueError(f"{text!r} cannot be evaluated ({error})") from None


def _value(node: ast.expr, names: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in names:
            return float(names[name])
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, names), _value(right, names))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(operand, names))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS and args:
            return float(_FUNCTIONS[name](*(_value(arg, names) for arg in args)))
    raise ValueError(
        f"{ast.unparse(node)!r} is not known; use numbers, {', '.join(names)}, + - * / // % ** "
        f"and {', '.join(_FUNCTIONS)}"
    )
