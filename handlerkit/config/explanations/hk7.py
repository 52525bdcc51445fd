"""Explanations: what is made of a configuration."""

from __future__ import annotations

from handlerkit.config.explanations.explanation import Explanation

EXPLANATIONS = {
    "HK701": Explanation(
        cause="The first comment of the file tells editors of a schema that "
        "`handlerkit schema` wrote, with another version or other plugins: an editor "
        "would take new keys for mistakes, and complete old ones. It is a warning; "
        "only editors read the schema.",
        example='#:schema ./handlerkit.schema.json\n\n[app]\ntarget = "shop:app"\n',
        beside={
            "shop.py": "from wsgiref.simple_server import demo_app as app\n",
            "handlerkit.schema.json": '{"title": "handlerkit.toml"}\n',
        },
        commands=("handlerkit check --load",),
        mend="Write it anew, with the command that the warning tells. A schema that "
        "is to be shared by people with different plugins is best made with `--core`.",
    ),
}
