# SPDX-License-Identifier: Apache-2.0
"""Operations on a dictionary from word to number."""

from .operation import AMOUNTS, COUNTS, FACTORS, LETTERS, LIMITS, STEMS, Operation


def _keep(name, condition, *phrases, domains=()):
    code = "{k: v for k, v in $v.items() if " + condition + "}"
    return Operation(name, "table", "table", code, phrases, (), domains, "keep:" + name)


def _each(name, pair, *phrases, domains=(), group=""):
    code = "{" + pair + " for k, v in $v.items()}"
    return Operation(name, "table", "table", code, phrases, (), domains, group)


def _whole(name, code, *phrases, group="", ordering=""):
    return Operation(name, "table", "table", code, phrases, (), (), group, ordering)


def _from(name, gives, code, phrases, nouns=(), domains=(), ordering=""):
    return Operation(name, "table", gives, code, phrases, nouns, domains, "", ordering)


KEEP = (
    _keep(
        "values_above",
        "v > $a",
        "keep the entries with a value greater than $a",
        "drop entries whose value is at most $a",
        domains=(LIMITS,),
    ),
    _keep(
        "values_below",
        "v < $a",
        "keep the entries with a value less than $a",
        "drop entries whose value is at least $a",
        domains=(LIMITS,),
    ),
    _keep("values_even", "v % 2 == 0", "keep the entries with an even value", "drop entries whose value is odd"),
    _keep("values_odd", "v % 2 == 1", "keep the entries with an odd value", "drop entries whose value is even"),
    _keep(
        "values_multiples",
        "v % $a == 0",
        "keep the entries whose value is a multiple of $a",
        "drop entries whose value $a does not divide",
        domains=(FACTORS[1:],),
    ),
    _keep(
        "keys_longer",
        "len(k) > $a",
        "keep the entries whose key is longer than $a",
        "drop keys of at most $a letters",
        domains=(COUNTS,),
    ),
    _keep(
        "keys_starting",
        "k.startswith($a)",
        "keep the keys that start with $a",
        "drop keys that do not begin with $a",
        domains=(LETTERS,),
    ),
    _keep("keys_having", "$a in k", "keep the keys that contain $a", "drop keys without $a", domains=(LETTERS,)),
    _keep(
        "keys_lacking",
        "$a not in k",
        "drop the keys that contain $a",
        "remove keys with $a in them",
        domains=(LETTERS,),
    ),
)

EACH = (
    _each("values_add", "k: v + $a", "add $a to each value", "increase every value by $a", domains=(AMOUNTS,)),
    _each(
        "values_subtract", "k: v - $a", "subtract $a from each value", "decrease every value by $a", domains=(AMOUNTS,)
    ),
    _each("values_multiply", "k: v * $a", "multiply each value by $a", "scale every value by $a", domains=(FACTORS,)),
    _each(
        "values_floor_divide",
        "k: v // $a",
        "divide each value by $a rounding down",
        "floor divide every value by $a",
        domains=(FACTORS,),
    ),
    _each(
        "values_modulo",
        "k: v % $a",
        "reduce each value modulo $a",
        "replace every value by its remainder modulo $a",
        domains=(FACTORS,),
    ),
    _each("values_square", "k: v * v", "square each value", "replace every value by its square"),
    _each("values_negate", "k: -v", "negate each value", "flip the sign of every value"),
    _each("values_absolute", "k: abs(v)", "take the absolute value of each value", "drop the sign of every value"),
    _each("values_cap", "k: min(v, $a)", "cap each value at $a", "limit every value to at most $a", domains=(AMOUNTS,)),
    _each(
        "values_lift", "k: max(v, $a)", "make every value at least $a", "raise values below $a to $a", domains=(LIMITS,)
    ),
    _each(
        "values_key_length",
        "k: v * len(k)",
        "multiply each value by the length of its key",
        "scale every value by its key's length",
    ),
    _each(
        "keys_upper",
        "k.upper(): v",
        "change the keys to upper case",
        "convert every key to uppercase",
        group="key case",
    ),
    _each(
        "keys_capitalize",
        "k.capitalize(): v",
        "capitalize the keys",
        "give every key a capital first letter",
        group="key case",
    ),
    _each(
        "keys_prefix",
        "$a + k: v",
        "put $a in front of each key",
        "prepend $a to every key",
        domains=(STEMS,),
        group="key put",
    ),
    _each(
        "keys_suffix",
        "k + $a: v",
        "append $a to each key",
        "put $a at the end of every key",
        domains=(STEMS,),
        group="key put",
    ),
    _each("keys_reverse", "k[::-1]: v", "reverse each key", "write every key backwards"),
)

WHOLE = (
    _whole(
        "table_sort_keys",
        "dict(sorted($v.items()))",
        "sort the entries by key",
        "order the dictionary by its keys",
        group="order",
        ordering="sets",
    ),
    _whole(
        "table_sort_values",
        "dict(sorted($v.items(), key=lambda p: p[1]))",
        "sort the entries by value",
        "order the dictionary by its values",
        group="order",
        ordering="sets",
    ),
)

FROM = (
    _from("table_keys", "words", "list($v)", ("list the keys", "make a list of the keys"), ("the keys as a list",)),
    _from(
        "table_keys_sorted",
        "words",
        "sorted($v)",
        ("list the keys in alphabetical order",),
        ("the sorted keys",),
        ordering="ignores",
    ),
    _from(
        "table_keys_by_value",
        "words",
        "sorted($v, key=$v.get)",
        ("list the keys from smallest to largest value",),
        ("the keys ordered by value",),
    ),
    _from(
        "table_values",
        "numbers",
        "list($v.values())",
        ("list the values", "make a list of the values"),
        ("the values as a list",),
    ),
    _from(
        "table_values_sorted",
        "numbers",
        "sorted($v.values())",
        ("list the values in ascending order",),
        ("the sorted values",),
        ordering="ignores",
    ),
    _from(
        "table_sum",
        "number",
        "sum($v.values())",
        ("add up the values",),
        ("the sum of the values", "the total of all values"),
        ordering="ignores",
    ),
    _from(
        "table_size",
        "number",
        "len($v)",
        ("count the entries",),
        ("the number of entries", "how many keys there are"),
        ordering="ignores",
    ),
    _from(
        "table_max",
        "number",
        "max($v.values(), default=0)",
        ("find the largest value, or 0 if empty",),
        ("the largest value (0 if empty)",),
        ordering="ignores",
    ),
    _from(
        "table_min",
        "number",
        "min($v.values(), default=0)",
        ("find the smallest value, or 0 if empty",),
        ("the smallest value (0 if empty)",),
        ordering="ignores",
    ),
    _from(
        "table_best",
        "text",
        'max($v, key=$v.get, default="")',
        ("find the key with the largest value, or the empty string",),
        ("the key of the largest value (empty if none is left)",),
    ),
    _from(
        "table_worst",
        "text",
        'min($v, key=$v.get, default="")',
        ("find the key with the smallest value, or the empty string",),
        ("the key of the smallest value (empty if none is left)",),
    ),
    _from(
        "table_count_above",
        "number",
        "sum(1 for v in $v.values() if v > $a)",
        ("count the values greater than $a",),
        ("how many values are above $a",),
        (LIMITS,),
        "ignores",
    ),
    _from(
        "table_pairs",
        "words",
        "[k + $a + str(v) for k, v in $v.items()]",
        ("write each entry as key, $a and value",),
        ("a list with each key and value joined by $a",),
        ((":", "=", "-", "/"),),
    ),
    _from(
        "table_any_above",
        "truth",
        "any(v > $a for v in $v.values())",
        ("check whether any value is greater than $a",),
        ("whether some value exceeds $a",),
        (LIMITS,),
        "ignores",
    ),
)

OPERATIONS = KEEP + EACH + WHOLE + FROM
