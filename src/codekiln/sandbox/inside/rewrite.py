"""Test code in which each assertion tells what came of it, and goes on to the next."""

import ast
import builtins

FILE = "<tests>"
#: The recorder's name in test code, which no program can write.
RECORDER = "@t"
_LEFT, _RIGHT, _ERROR = "@left", "@right", "@error"
_OPERATORS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip


def parsed(source, entry):
    """(tree, text) of test code; where it defines `check` and calls it nowhere, it is called with the entry point.

    Raises SyntaxError, ValueError and RecursionError.
    """
    tree = ast.parse(source, FILE)
    tree.body = [one for one in tree.body if not _is_main_of_unittest(one)]
    own = {one.name for one in tree.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))}
    if entry and "check" in own and entry != "check" and not any(_calls(one, "check") for one in tree.body):
        source = f"{source}\ncheck({entry})"
        added = ast.parse(f"check({entry})", FILE)
        ast.increment_lineno(added, len(source.splitlines()) - 1)
        tree.body += added.body
    return tree, source


def _calls(statement, name):
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Name)
        and statement.value.func.id == name
    )


def _is_main_of_unittest(statement):
    return isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("unittest.main(")


def rewritten(tree):
    """Change a tree in place; [(line, last line, node)] of its assertions, whose places are their numbers."""
    table = []
    tree.body = _block(tree.body, False, table)
    return table


def names(code):
    """Names that code and what it defines look up, other than those of builtins, and those of builtins."""
    found, left = set(), [code]
    while left:
        one = left.pop()
        found.update(one.co_names)
        left += [inner for inner in one.co_consts if hasattr(inner, "co_names")]
    found = {name for name in found if name.isidentifier() and not name.startswith("__")}
    own = {name for name in found if hasattr(builtins, name)}
    return sorted(found - own), sorted(own)


def _block(statements, native, table):
    made = []
    for one in statements:
        kind = type(one)
        if kind is ast.Assert:
            made += _assertion(one, native, table)
            continue
        if kind is not ast.ClassDef:  # those of methods are unittest's
            caught = kind in (ast.With, ast.AsyncWith) or bool(getattr(one, "handlers", ()))
            for field in ("body", "orelse", "finalbody"):
                inner = getattr(one, field, None)
                # Where an error may be expected, an assertion has to raise it.
                if type(inner) is list:
                    setattr(one, field, _block(inner, native or (caught and field == "body"), table))
            for part in (*getattr(one, "handlers", ()), *getattr(one, "cases", ())):
                part.body = _block(part.body, native, table)
        made.append(one)
    return made


def _assertion(node, native, table):
    number, at = len(table), {"lineno": node.lineno, "col_offset": node.col_offset}
    table.append((node.lineno, node.end_lineno or node.lineno, node))

    def name(text):
        return ast.Name(text, ast.Load(), **at)

    def tell(method, *arguments):
        function = ast.Attribute(name(RECORDER), method, ast.Load(), **at)
        call = ast.Call(function, [ast.Constant(number, **at), *arguments], [], **at)
        return ast.Expr(call, **at)

    def keep(text, value):
        return ast.Assign([ast.Name(text, ast.Store(), **at)], value, **at)

    begin = tell("begin")
    if native:
        return [begin, node]
    message = [node.msg] if node.msg else []
    test = node.test
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        body = [keep(_LEFT, test.left), keep(_RIGHT, test.comparators[0])]
        condition = ast.Compare(name(_LEFT), test.ops, [name(_RIGHT)], **at)
        # What a call gives is what is looked at, whichever side it stands on.
        turned = _constant(test.left) and not _constant(test.comparators[0])
        how = [ast.Constant(_OPERATORS[type(test.ops[0])], **at), ast.Constant(turned, **at)]
        failed = tell("failed", *how, name(_LEFT), name(_RIGHT), *message)
    else:
        negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        body = [keep(_LEFT, test.operand if negated else test)]
        condition = ast.UnaryOp(ast.Not(), name(_LEFT), **at) if negated else name(_LEFT)
        failed = tell("untrue", ast.Constant(negated, **at), name(_LEFT), *message)
    body.append(ast.If(ast.UnaryOp(ast.Not(), condition, **at), [failed], [], **at))
    handler = ast.ExceptHandler(name("BaseException"), _ERROR, [tell("error", name(_ERROR))], **at)
    return [begin, ast.Try(body, [handler], [], [], **at)]


def _constant(node):
    """Whether an expression is written out, without calls."""
    if isinstance(node, (ast.Constant, ast.Name)):
        return True
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return all(map(_constant, node.elts))
    return isinstance(node, (ast.Dict, ast.UnaryOp)) and not isinstance(getattr(node, "op", None), ast.Not)
