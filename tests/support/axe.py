"""What axe, the judge of accessibility in `tests/vendor`, finds wrong on a page.

Decides by which rules pages are judged. Only what is wrong leaves the page: all that axe has to say
is a tree of thousands of parts, and reading it costs as much as the judging.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "vendor" / "axe.min.js"
SOURCE = FILE.read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = {"type": "rule", "values": ["color-contrast"]}


def faults(page: Any, rules: object = RULES) -> list[str]:
    """Every place on the page at which a rule is broken, with the rule's name.

    Axe is evaluated beside the page, whose policy allows no script that is not its own: once, and
    of itself in every later page of the same context, where many are judged. To carry half a
    megabyte there takes as long as to judge a small page.
    """
    page.wait_for_load_state("load")
    if page.evaluate("typeof axe === 'undefined'"):
        page.evaluate(SOURCE)
        page.context.add_init_script(SOURCE)
    options = json.dumps({"runOnly": rules, "resultTypes": ["violations"]})
    found = page.evaluate(
        f"axe.run(document, {options}).then(told => told.violations.flatMap("
        "rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 160)}`)))"
    )
    return [str(place) for place in found]
