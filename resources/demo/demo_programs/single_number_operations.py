# SPDX-License-Identifier: Apache-2.0
"""Operations on one number."""

from .operation import AMOUNTS, FACTORS, LIMITS, Operation


def _single(name, gives, code, phrases, nouns=(), domains=()):
    return Operation(name, "number", gives, code, phrases, nouns, domains)


OPERATIONS = (
    _single(
        "number_add", "number", "$v + $a", ("add $a to the number", "increase the number by $a"), domains=(AMOUNTS,)
    ),
    _single(
        "number_multiply",
        "number",
        "$v * $a",
        ("multiply the number by $a", "scale the number by $a"),
        domains=(FACTORS,),
    ),
    _single(
        "number_subtract",
        "number",
        "$v - $a",
        ("subtract $a from the number", "decrease the number by $a"),
        domains=(AMOUNTS,),
    ),
    _single(
        "number_modulo",
        "number",
        "$v % $a",
        ("reduce the number modulo $a", "take the remainder modulo $a"),
        domains=(FACTORS,),
    ),
    _single(
        "number_floor_divide",
        "number",
        "$v // $a",
        ("divide the number by $a rounding down", "floor divide the number by $a"),
        domains=(FACTORS,),
    ),
    _single("number_square", "number", "$v * $v", ("square the number", "multiply the number by itself")),
    _single("number_negate", "number", "-$v", ("negate the number", "flip the sign of the number")),
    _single(
        "number_cap",
        "number",
        "min($v, $a)",
        ("cap the number at $a", "limit the number to at most $a"),
        domains=(AMOUNTS,),
    ),
    _single(
        "number_lift",
        "number",
        "max($v, $a)",
        ("make the number at least $a", "raise the number to $a if it is smaller"),
        domains=(LIMITS,),
    ),
    _single(
        "number_digits",
        "numbers",
        "[int(d) for d in str(abs($v))]",
        ("list the digits of the number", "split the number into its digits"),
    ),
    _single(
        "number_upto",
        "numbers",
        "list(range(1, abs($v) % 50 + 1))",
        ("list the numbers from 1 to the absolute value modulo 50",),
    ),
    _single(
        "number_table",
        "numbers",
        "[$v * i for i in range(1, $a)]",
        ("list the multiples of the number by 1 up to but not including $a",),
        domains=(tuple(range(4, 10)),),
    ),
    _single("number_text", "text", "str($v)", ("write the number as text", "convert the number to a string")),
    _single(
        "number_binary",
        "text",
        'bin($v)[2:] if $v > 0 else ""',
        ("write the number in binary (empty unless positive)",),
        ("the binary digits (empty unless positive)",),
    ),
    _single(
        "number_is_multiple",
        "truth",
        "$v % $a == 0",
        ("check whether the number is divisible by $a",),
        ("whether the number is a multiple of $a",),
        (FACTORS,),
    ),
    _single(
        "number_is_above",
        "truth",
        "$v > $a",
        ("check whether the number is greater than $a",),
        ("whether the number is above $a",),
        (LIMITS,),
    ),
)
