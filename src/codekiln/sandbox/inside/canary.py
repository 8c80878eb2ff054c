"""Tests that must fail, made from tests that pass: a run in which they pass is a run that lies.

They look like the others: the same value against another expected one, or the opposite of an assertion. What is
compared is computed once, for a test that is run twice may rightly give another result. They stand around the one that
they are made from, which is neither the first nor the last of them and else anywhere: a program that takes what it finds
first for what is expected of it is caught. One that knows this file is not.
"""

import ast
import copy
import os
from collections import Counter

from rewrite import FILE

_OPPOSITE = {
    "assertTrue": "assertFalse", "assertIn": "assertNotIn", "assertIs": "assertIsNot", "assertIsNone": "assertIsNotNone",
    "assertIsInstance": "assertNotIsInstance", "assertLess": "assertGreaterEqual", "assertGreater": "assertLessEqual",
}  # fmt: skip
_OPPOSITE.update({other: one for one, other in list(_OPPOSITE.items())})
_COMPARES = ("Equal", "CountEqual", "ListEqual", "TupleEqual", "DictEqual", "SetEqual", "SequenceEqual",
             "MultiLineEqual", "AlmostEqual")  # fmt: skip
#: Canaries made from comparisons, about; and from other kinds of assertions, each.
_MOST, _MOST_OTHERS = 24, 1


def added(tree):
    """Add canaries to a tree of test code: the nodes of assertions, and names of methods, that must fail."""
    nodes = []
    comparisons = sum(isinstance(one, ast.Assert) or _is_comparison(one) for one in ast.walk(tree))
    variants = max(1, _MOST // max(1, comparisons))
    _into(tree.body, variants, Counter(), nodes)
    methods = [
        name
        for one in tree.body
        if isinstance(one, ast.ClassDef)
        for name in _methods(one, variants, Counter())
    ]
    if not nodes and not methods:
        extra = ast.parse('assert len("abcd") == 5', FILE).body
        tree.body += extra
        nodes += extra
    ast.fix_missing_locations(tree)
    return nodes, methods


def _is_comparison(node):
    return isinstance(node, ast.Attribute) and node.attr[6:] in _COMPARES


def _into(statements, variants, seen, nodes):
    """Beside the last assertions of each kind those that contradict them."""
    for at in range(len(statements) - 1, -1, -1):
        one = statements[at]
        if isinstance(one, ast.Assert):
            held, test = _held(one.test)
            made = _contradictions(test, variants)
            if _wanted(made[0][0], seen):
                new = [ast.Assert(other, None) for _, other in made]
                nodes += new
                statements[at : at + 1] = [
                    *held,
                    *_mixed(ast.copy_location(ast.Assert(test, one.msg), one), new),
                ]
            continue
        if isinstance(one, (ast.ClassDef, ast.With, ast.AsyncWith)) or getattr(one, "handlers", ()):
            continue
        for field in ("body", "orelse"):
            inner = getattr(one, field, None)
            if type(inner) is list:
                _into(inner, variants, seen, nodes)


def _held(test):
    """(statements that compute what is asserted, once; the assertion's test of what they hold)."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        left, first = _once(test.left)
        right, second = _once(test.comparators[0])
        return [*left, *right], ast.Compare(first, test.ops, [second])
    made, value = _once(test)
    return made, value


def _once(node):
    if _literal(node) or isinstance(node, ast.Name):
        return [], node
    name = f"_{os.urandom(4).hex()}"
    assigned = ast.Assign([ast.Name(name, ast.Store())], node, lineno=getattr(node, "lineno", 1))
    return [assigned], ast.Name(name, ast.Load())


def _wanted(kind, seen):
    seen[kind] += 1
    return seen[kind] <= (_MOST if kind == "equal" else _MOST_OTHERS)


def _mixed(one, others):
    """A statement somewhere among others; where there are several it is not the first and not the last."""
    inside = len(others) > 1
    at = inside + int.from_bytes(os.urandom(8), "big") % (len(others) + 1 - 2 * inside)
    return [*others[:at], one, *others[at:]]


def _contradictions(test, variants):
    """[(kind, expression)] that are false where a test is true; of comparisons several."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        made = []
        for step in range(1, variants + 1):
            left, right = copy.deepcopy((test.left, test.comparators[0]))
            if not changed(right, step) and not changed(left, step):
                right = ast.List([right] * step, ast.Load())
            made.append(("equal", ast.Compare(left, test.ops, [right])))
        return made
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return [("not", copy.deepcopy(test.operand))]
    return [("true", ast.UnaryOp(ast.Not(), copy.deepcopy(test)))]


def changed(node, step):
    """Change the first literal in a node that is written out into an unequal one, by each step into another; whether
    there was one."""
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool) or value is None:
            node.value = not value
        elif isinstance(value, (int, float, complex)):
            # Below it as often as above.
            far = step * max(3, abs(value) // 100) * (1 if os.urandom(1)[0] % 2 else -1)
            node.value = value + far if not isinstance(value, complex) and abs(value) < 1e300 else step
        elif isinstance(value, (str, bytes)):
            node.value = _other(value, step)
        else:
            return False
        return True
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return changed(node.operand, step)
    if isinstance(node, (ast.List, ast.Tuple)) and isinstance(node.ctx, ast.Load):
        if node.elts and changed(node.elts[0], step):
            return True
        if _literal(node):
            node.elts += [ast.Constant(3)] * step
            return True
    if isinstance(node, ast.Dict) and _literal(node):
        node.keys.append(ast.Constant("aab"))
        node.values.append(ast.Constant(step))
        return True
    return False


def _other(value, step):
    """Another text: without one of its letters, with another in its place, or with more of them."""
    more = "abcdefghi"[step % 9] * (1 + step // 9)
    more = more if isinstance(value, str) else more.encode()
    chance = os.urandom(3)
    at = chance[0] % (len(value) + 1)
    if chance[1] % 3 == 0 and step < len(value):
        return value[: len(value) - step]
    if chance[1] % 3 == 1 and value[at : at + len(more)] != more and at + len(more) <= len(value):
        return value[:at] + more + value[at + len(more) :]
    return value[:at] + more + value[at:]


def _literal(node):
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _methods(kind, variants, seen):
    """Add copies of test methods whose last assertion is contradicted; their names."""
    made = []
    tests = [one for one in kind.body if isinstance(one, ast.FunctionDef) and one.name.startswith("test")]
    for one in reversed(tests):
        twins = [copy.deepcopy(one) for _ in range(variants)]
        found = {_contradict(twin, step) for step, twin in enumerate(twins, 1)}
        if found == {None} or not _wanted(*found, seen):
            continue
        new = twins if found == {"equal"} else twins[:1]
        for twin in new:
            made.append(twin)
            twin.name = f"{one.name}_{len(made) + 1}"
        at = kind.body.index(one)
        kind.body[at : at + 1] = _mixed(one, new)
    if tests and not made:
        (twin,) = ast.parse("def test_other(self):\n    self.assertEqual(len('abcd'), 5)", FILE).body
        made.append(twin)
        kind.body.append(twin)
    return [f"{kind.name}.{one.name}" for one in made]


def _contradict(method, step):
    """Turn one assertion of a method round: its kind, or None where none can be."""
    for at in range(len(method.body) - 1, -1, -1):
        one = method.body[at]
        if isinstance(one, ast.Assert):
            kind, other = _contradictions(one.test, step)[-1]
            method.body[at] = ast.Assert(other, None)
            return kind
        call = one.value if isinstance(one, ast.Expr) else None
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        name = call.func.attr
        if name in _OPPOSITE:
            call.func.attr = _OPPOSITE[name]
            return name
        if name[6:] in _COMPARES and len(call.args) >= 2:
            if not changed(call.args[1], step) and not changed(call.args[0], step):
                call.args[1] = ast.List([call.args[1]] * step, ast.Load())
            return "equal"
    return None
