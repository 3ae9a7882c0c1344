# SPDX-License-Identifier: Apache-2.0
"""Operations on lists of numbers and on single numbers."""

from .operation import AMOUNTS, COUNTS, FACTORS, LIMITS, MARKS, Operation


def _keep(name, condition, *phrases, domains=()):
    code = "[x for x in $v if " + condition + "]"
    return Operation(name, "numbers", "numbers", code, phrases, (), domains, "keep:" + name.split("_")[1])


def _each(name, expression, *phrases, domains=()):
    code = "[" + expression + " for x in $v]"
    return Operation(name, "numbers", "numbers", code, phrases, (), domains, "")


def _whole(name, code, *phrases, domains=(), group="", ordering=""):
    return Operation(name, "numbers", "numbers", code, phrases, (), domains, group, ordering)


def _reduce(name, gives, code, phrases, nouns, domains=(), ordering=""):
    return Operation(name, "numbers", gives, code, phrases, nouns, domains, "", ordering)


def _single(name, gives, code, phrases, nouns=(), domains=()):
    return Operation(name, "number", gives, code, phrases, nouns, domains)


KEEP = (
    _keep("keep_even", "x % 2 == 0", "keep only the even numbers", "drop the odd numbers", "remove every odd number"),
    _keep("keep_odd", "x % 2 == 1", "keep only the odd numbers", "drop the even numbers", "remove every even number"),
    _keep("keep_above", "x > $a", "keep the numbers greater than $a", "keep only numbers above $a",
          "drop all numbers up to and including $a", domains=(LIMITS,)),
    _keep("keep_below", "x < $a", "keep the numbers less than $a", "keep only numbers below $a",
          "drop all numbers from $a upwards", domains=(LIMITS,)),
    _keep("keep_multiples", "x % $a == 0", "keep the multiples of $a", "keep only numbers divisible by $a",
          "drop the numbers that $a does not divide", domains=(FACTORS[1:],)),
    _keep("keep_nonmultiples", "x % $a != 0", "drop the multiples of $a", "remove the numbers divisible by $a",
          "keep the numbers that $a does not divide", domains=(FACTORS[1:],)),
    _keep("keep_positive", "x > 0", "keep only the positive numbers", "drop zeros and negative numbers"),
    _keep("keep_negative", "x < 0", "keep only the negative numbers", "drop zeros and positive numbers"),
    _keep("keep_others", "x != $a", "remove every $a", "drop all numbers equal to $a",
          "keep the numbers that are not $a", domains=(COUNTS,)),
    _keep("keep_remainder", "x % $a == 1", "keep the numbers that leave 1 when divided by $a",
          "keep numbers with remainder 1 modulo $a", domains=(FACTORS[1:],)),
)

EACH = (
    _each("add", "x + $a", "add $a to each number", "increase every number by $a", "raise each number by $a",
          domains=(AMOUNTS,)),
    _each("subtract", "x - $a", "subtract $a from each number", "decrease every number by $a",
          "lower each number by $a", domains=(AMOUNTS,)),
    _each("subtract_from", "$a - x", "subtract each number from $a", "replace each number by $a minus it",
          domains=(AMOUNTS,)),
    _each("multiply", "x * $a", "multiply each number by $a", "scale every number by $a", "make each number $a times as big",
          domains=(FACTORS,)),
    _each("floor_divide", "x // $a", "divide each number by $a rounding down", "floor divide every number by $a",
          domains=(FACTORS,)),
    _each("modulo", "x % $a", "replace each number by its remainder modulo $a",
          "take every number modulo $a", "reduce each number modulo $a", domains=(FACTORS,)),
    _each("square", "x * x", "square each number", "multiply each number by itself", "replace every number by its square"),
    _each("cube", "x ** 3", "cube each number", "raise each number to the third power"),
    _each("absolute", "abs(x)", "take the absolute value of each number", "drop the sign of each number",
          "make every number non-negative by removing its sign"),
    _each("negate", "-x", "negate each number", "flip the sign of every number", "change the sign of each number"),
    _each("cap", "min(x, $a)", "cap each number at $a", "limit every number to at most $a",
          "replace numbers above $a by $a", domains=(AMOUNTS,)),
    _each("lift", "max(x, $a)", "raise numbers below $a to $a", "make every number at least $a",
          "replace numbers smaller than $a by $a", domains=(LIMITS,)),
    _each("swap_value", "$b if x == $a else x", "replace every $a by $b", "change each $a into $b",
          "turn every number equal to $a into $b", domains=(COUNTS, AMOUNTS[9:])),
    _each("zero_above", "0 if x > $a else x", "set numbers greater than $a to 0", "replace numbers above $a by zero",
          domains=(AMOUNTS,)),
    _each("square_plus", "x * x + $a", "square each number and add $a", "replace each number by its square plus $a",
          domains=(AMOUNTS,)),
    _each("scale_shift", "x * $a + $b", "multiply each number by $a and add $b",
          "replace each number by $a times it plus $b", domains=(FACTORS, AMOUNTS)),
    _each("last_digit", "abs(x) % 10", "replace each number by its last digit", "keep the last digit of every number"),
)

WHOLE = (
    _whole("sort", "sorted($v)", "sort the numbers", "put the numbers in ascending order",
           "sort from smallest to largest", group="order", ordering="sets"),
    _whole("sort_down", "sorted($v, reverse=True)", "sort the numbers in descending order",
           "sort from largest to smallest", "order the numbers from high to low", group="order", ordering="sets"),
    _whole("reverse", "$v[::-1]", "reverse the list", "reverse the order of the numbers", "turn the list around",
           group="order", ordering="sets"),
    _whole("sort_absolute", "sorted($v, key=abs)", "sort the numbers by absolute value",
           "order the numbers by their size without sign", group="order", ordering="sets"),
    _whole("distinct", "list(dict.fromkeys($v))", "remove duplicates", "keep only the first of equal numbers",
           "drop repeated numbers"),
    _whole("first_few", "$v[:$a]", "take the first $a numbers", "keep only the first $a numbers",
           "cut the list to its first $a numbers", domains=(COUNTS[1:],), group="cut"),
    _whole("last_few", "$v[-$a:]", "take the last $a numbers", "keep only the last $a numbers",
           "cut the list to its last $a numbers", domains=(COUNTS[1:],), group="cut"),
    _whole("skip_first", "$v[$a:]", "skip the first $a numbers", "drop the first $a numbers",
           "remove the first $a numbers", domains=(COUNTS[1:],), group="cut"),
    _whole("skip_last", "$v[:-$a]", "drop the last $a numbers", "leave out the last $a numbers",
           "remove the last $a numbers", domains=(COUNTS[1:],), group="cut"),
    _whole("every_nth", "$v[::$a]", "keep one number in $a, starting with the first",
           "take every number whose index is a multiple of $a", domains=((2, 3, 4),)),
    _whole("rotate", "$v[$a:] + $v[:$a]", "rotate the list left by $a", "move the first $a numbers to the end",
           "shift the list left by $a places", domains=((1, 2, 3),)),
    _whole("append", "$v + [$a]", "append $a", "add $a at the end of the list", "put $a after the last number",
           domains=(AMOUNTS,), group="put"),
    _whole("prepend", "[$a] + $v", "prepend $a", "insert $a at the start of the list", "put $a before the first number",
           domains=(AMOUNTS,), group="put"),
    _whole("repeat_list", "$v * $a", "repeat the list $a times", "write the list $a times in a row", domains=((2, 3),)),
    _whole("mirror", "$v + $v[::-1]", "append the reversed list", "add the list's mirror image at its end"),
    _whole("running_sum", "[sum($v[:i + 1]) for i in range(len($v))]", "replace each number by the running sum",
           "compute the running totals", "take cumulative sums"),
    _whole("running_max", "[max($v[:i + 1]) for i in range(len($v))]", "replace each number by the largest so far",
           "compute the running maximum"),
    _whole("differences", "[b - a for a, b in zip($v, $v[1:])]", "take the differences between neighbours",
           "compute each number minus the one before it"),
    _whole("neighbour_sums", "[a + b for a, b in zip($v, $v[1:])]", "add each pair of neighbours",
           "compute the sums of adjacent numbers"),
    _whole("times_index", "[i * x for i, x in enumerate($v)]", "multiply each number by its index",
           "weigh every number by its position counted from 0"),
    _whole("plus_index", "[x + i for i, x in enumerate($v)]", "add its index to each number",
           "increase every number by its position counted from 0"),
)

REDUCE = (
    _reduce("sum", "number", "sum($v)", ("add up the numbers", "sum the list"),
            ("the sum of the numbers", "the total"), ordering="ignores"),
    _reduce("sum_squares", "number", "sum(x * x for x in $v)", ("add up the squares", "sum the squares of the numbers"),
            ("the sum of squares",), ordering="ignores"),
    _reduce("sum_absolute", "number", "sum(abs(x) for x in $v)", ("add up the absolute values",),
            ("the sum of absolute values", "the total of the absolute values"), ordering="ignores"),
    _reduce("largest", "number", "max($v, default=0)", ("find the largest number, or 0 if there is none",),
            ("the largest number (0 if none is left)", "the maximum, or 0 for an empty list"), ordering="ignores"),
    _reduce("smallest", "number", "min($v, default=0)", ("find the smallest number, or 0 if there is none",),
            ("the smallest number (0 if none is left)", "the minimum, or 0 for an empty list"), ordering="ignores"),
    _reduce("length", "number", "len($v)", ("count the numbers",),
            ("how many numbers there are", "the number of items", "the length of the list"), ordering="ignores"),
    _reduce("count_value", "number", "$v.count($a)", ("count how often $a occurs",),
            ("how many times $a appears", "the number of $a values"), (COUNTS,), "ignores"),
    _reduce("count_above", "number", "sum(1 for x in $v if x > $a)", ("count the numbers greater than $a",),
            ("how many numbers are above $a", "the count of numbers greater than $a"), (LIMITS,), "ignores"),
    _reduce("count_even", "number", "sum(1 for x in $v if x % 2 == 0)", ("count the even numbers",),
            ("how many numbers are even",), ordering="ignores"),
    _reduce("count_distinct", "number", "len(set($v))", ("count the distinct numbers",),
            ("the number of different values", "how many distinct numbers there are"), ordering="ignores"),
    _reduce("first", "number", "$v[0] if $v else 0", ("take the first number, or 0 if there is none",),
            ("the first number (0 if none is left)",)),
    _reduce("last", "number", "$v[-1] if $v else 0", ("take the last number, or 0 if there is none",),
            ("the last number (0 if none is left)",)),
    _reduce("spread", "number", "max($v) - min($v) if $v else 0", ("subtract the smallest number from the largest, giving 0 if empty",),
            ("the largest minus the smallest number (0 if empty)",), ordering="ignores"),
    _reduce("any_above", "truth", "any(x > $a for x in $v)", ("check whether any number is greater than $a",),
            ("whether some number is above $a", "True if any number exceeds $a"), (LIMITS,), "ignores"),
    _reduce("all_below", "truth", "all(x < $a for x in $v)", ("check whether all numbers are less than $a",),
            ("whether every number is below $a", "True if all numbers are smaller than $a"), (LIMITS,), "ignores"),
    _reduce("contains", "truth", "$a in $v", ("check whether $a is in the list",),
            ("whether $a occurs", "True if the list contains $a"), (COUNTS,), "ignores"),
    _reduce("is_sorted", "truth", "$v == sorted($v)", ("check whether the numbers are in ascending order",),
            ("whether the list is sorted",)),
    _reduce("join_numbers", "text", '$a.join(str(x) for x in $v)', ("join the numbers with $a",),
            ("the numbers as text joined by $a",), (MARKS,)),
    _reduce("to_words", "words", "[str(x) for x in $v]", ("turn each number into a string", "convert every number to text"), ()),
)

SINGLE = (
    _single("number_add", "number", "$v + $a", ("add $a to the number", "increase the number by $a"), domains=(AMOUNTS,)),
    _single("number_multiply", "number", "$v * $a", ("multiply the number by $a", "scale the number by $a"), domains=(FACTORS,)),
    _single("number_subtract", "number", "$v - $a", ("subtract $a from the number", "decrease the number by $a"), domains=(AMOUNTS,)),
    _single("number_modulo", "number", "$v % $a", ("reduce the number modulo $a", "take the remainder modulo $a"), domains=(FACTORS,)),
    _single("number_floor_divide", "number", "$v // $a", ("divide the number by $a rounding down", "floor divide the number by $a"), domains=(FACTORS,)),
    _single("number_square", "number", "$v * $v", ("square the number", "multiply the number by itself")),
    _single("number_negate", "number", "-$v", ("negate the number", "flip the sign of the number")),
    _single("number_cap", "number", "min($v, $a)", ("cap the number at $a", "limit the number to at most $a"), domains=(AMOUNTS,)),
    _single("number_lift", "number", "max($v, $a)", ("make the number at least $a", "raise the number to $a if it is smaller"), domains=(LIMITS,)),
    _single("number_digits", "numbers", "[int(d) for d in str(abs($v))]", ("list the digits of the number", "split the number into its digits")),
    _single("number_upto", "numbers", "list(range(1, abs($v) % 50 + 1))", ("list the numbers from 1 to the absolute value modulo 50",)),
    _single("number_table", "numbers", "[$v * i for i in range(1, $a)]", ("list the multiples of the number by 1 up to but not including $a",),
            domains=(tuple(range(4, 10)),)),
    _single("number_text", "text", "str($v)", ("write the number as text", "convert the number to a string")),
    _single("number_binary", "text", "bin($v)[2:] if $v > 0 else \"\"", ("write the number in binary (empty unless positive)",), ("the binary digits (empty unless positive)",)),
    _single("number_is_multiple", "truth", "$v % $a == 0", ("check whether the number is divisible by $a",), ("whether the number is a multiple of $a",), (FACTORS,)),
    _single("number_is_above", "truth", "$v > $a", ("check whether the number is greater than $a",), ("whether the number is above $a",), (LIMITS,)),
)

OPERATIONS = KEEP + EACH + WHOLE + REDUCE + SINGLE
