"""Makes outputs of different engines comparable.

Two rules, applied to the output of both sides:

* every random or hashed id (a UUID, or 32 hexadecimal digits) becomes `id-1`,
  `id-2` ... in the order in which it is first met, keys of mappings sorted, so
  that ids are compared as equality classes and never by value;
* mappings are printed with sorted keys.
"""

import json
import re

_ID = re.compile(
    r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})\b"
)


def canonical(value):
    """The same JSON value with ids numbered."""
    numbers = {}

    def text(found):
        return numbers.setdefault(found.group(0), f"id-{len(numbers) + 1}")

    def walk(item):
        if isinstance(item, str):
            return _ID.sub(text, item)
        if isinstance(item, list):
            return [walk(each) for each in item]
        if isinstance(item, dict):
            return {_ID.sub(text, key): walk(item[key]) for key in sorted(item)}
        return item

    return walk(value)


def dump(value):
    """Canonical text: sorted keys, one space of indentation, a final newline."""
    return json.dumps(canonical(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
