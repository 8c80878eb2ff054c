"""`codekiln recipes`: what is built in, and one recipe with everything that it inherits written out."""

from __future__ import annotations

import click

from codekiln.cli.common import emit, json_option, set_option, table


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def recipes(context: click.Context, as_json: bool) -> None:
    """List the built-in recipes, or show one in full."""
    context.obj = as_json
    if context.invoked_subcommand is not None:
        return
    from codekiln.recipe import builtin_recipes, load_recipe

    found = [{"name": name, "description": load_recipe(name).description} for name in builtin_recipes()]
    lines = table([(one["name"], one["description"]) for one in found], ("recipe", "description"))
    emit({"recipes": found}, as_json, lines)


@recipes.command()
@click.argument("recipe")
@set_option
@json_option
@click.pass_obj
def show(json_before: bool, recipe: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print RECIPE (a built-in name or a YAML file) with every default and inherited value written out."""
    from codekiln.recipe import dump, load_recipe, to_yaml

    loaded = load_recipe(recipe, overrides)
    emit(dump(loaded), as_json or json_before, to_yaml(loaded).splitlines())
