# SPDX-License-Identifier: Apache-2.0
"""Operations on a text."""

from .operation import COUNTS, LETTERS, MARKS, SMALL, STEMS, Operation


def _text(name, code, *phrases, domains=(), group="", ordering=""):
    return Operation(name, "text", "text", code, phrases, (), domains, group, ordering)


def _keep(name, condition, *phrases, domains=()):
    code = '"".join(c for c in $v if ' + condition + ")"
    return Operation(name, "text", "text", code, phrases, (), domains, "keep:" + name.split("_")[1])


def _from(name, gives, code, phrases, nouns=(), domains=(), ordering=""):
    return Operation(name, "text", gives, code, phrases, nouns, domains, "", ordering)


CHANGE = (
    _text(
        "upper",
        "$v.upper()",
        "change the text to upper case",
        "make all letters capital",
        "convert to uppercase",
        group="case",
    ),
    _text(
        "lower",
        "$v.lower()",
        "change the text to lower case",
        "make all letters small",
        "convert to lowercase",
        group="case",
    ),
    _text("swap_case", "$v.swapcase()", "swap upper and lower case", "flip the case of every letter", group="case"),
    _text(
        "capitalize",
        "$v.capitalize()",
        "capitalize the text",
        "make the first letter capital and the others small",
        group="case",
    ),
    _text("title", "$v.title()", "put the text in title case", "capitalize each word", group="case"),
    _text(
        "reverse_text",
        "$v[::-1]",
        "reverse the text",
        "write the text backwards",
        "reverse the order of the characters",
        group="order",
        ordering="sets",
    ),
    _text(
        "sort_letters",
        '"".join(sorted($v))',
        "sort the characters",
        "put the characters in order",
        group="order",
        ordering="sets",
    ),
    _text("strip", "$v.strip()", "strip spaces from both ends", "remove leading and trailing spaces"),
    _text(
        "replace",
        "$v.replace($a, $b)",
        "replace every $a by $b",
        "change each $a into $b",
        "substitute $b for $a",
        domains=(LETTERS, MARKS),
    ),
    _text(
        "delete",
        '$v.replace($a, "")',
        "remove every $a",
        "delete all $a characters",
        "leave out each $a",
        domains=(LETTERS,),
    ),
    _text("dash_spaces", '$v.replace(" ", $a)', "replace spaces by $a", "change every space into $a", domains=(MARKS,)),
    _text("delete_spaces", '$v.replace(" ", "")', "remove the spaces", "delete every space"),
    _text(
        "first_chars",
        "$v[:$a]",
        "take the first $a characters",
        "keep only the first $a characters",
        "cut the text to $a characters",
        domains=(SMALL,),
        group="cut",
    ),
    _text(
        "last_chars",
        "$v[-$a:]",
        "take the last $a characters",
        "keep only the last $a characters",
        domains=(SMALL,),
        group="cut",
    ),
    _text(
        "skip_chars",
        "$v[$a:]",
        "skip the first $a characters",
        "drop the first $a characters",
        domains=(COUNTS,),
        group="cut",
    ),
    _text(
        "trim_chars",
        "$v[:-$a]",
        "drop the last $a characters",
        "leave out the last $a characters",
        domains=(COUNTS,),
        group="cut",
    ),
    _text(
        "every_nth_char",
        "$v[::$a]",
        "keep one character in $a, starting with the first",
        "take every character whose index is a multiple of $a",
        domains=((2, 3, 4),),
    ),
    _text(
        "repeat_text", "$v * $a", "repeat the text $a times", "write the text $a times in a row", domains=((2, 3, 4),)
    ),
    _text(
        "double_chars",
        '"".join(c * $a for c in $v)',
        "repeat each character $a times",
        "write every character $a times",
        domains=((2, 3),),
    ),
    _text("prefix", "$a + $v", "put $a in front", "add the prefix $a", "prepend $a", domains=(STEMS,), group="put"),
    _text("suffix", "$v + $a", "put $a at the end", "add the suffix $a", "append $a", domains=(STEMS,), group="put"),
    _text("wrap", "$a + $v + $a", "put $a on both sides", "surround the text with $a", domains=(MARKS,), group="put"),
    _text("mirror_text", "$v + $v[::-1]", "append the reversed text", "add the mirror image at the end"),
    _text(
        "pad_left",
        "$v.rjust($a, $b)",
        "pad on the left with $b to length $a",
        "fill up with $b at the start until it has $a characters",
        domains=((10, 12, 15, 20), MARKS),
        group="pad",
    ),
    _text(
        "pad_right",
        "$v.ljust($a, $b)",
        "pad on the right with $b to length $a",
        "fill up with $b at the end until it has $a characters",
        domains=((10, 12, 15, 20), MARKS),
        group="pad",
    ),
    _text(
        "distinct_chars",
        '"".join(dict.fromkeys($v))',
        "remove repeated characters",
        "keep only the first of equal characters",
    ),
    _text(
        "space_chars",
        "$a.join($v)",
        "put $a between the characters",
        "separate the characters with $a",
        domains=(MARKS,),
    ),
)

KEEP = (
    _keep("keep_vowels", 'c in "aeiou"', "keep only the vowels", "keep the vowels a, e, i, o, u alone"),
    _keep("keep_novowels", 'c not in "aeiou"', "remove the vowels", "delete every vowel", "drop all vowels"),
    _keep("keep_letters", "c.isalpha()", "keep only the letters", "remove everything that is not a letter"),
    _keep("keep_digits", "c.isdigit()", "keep only the digits", "remove everything that is not a digit"),
    _keep("keep_nodigits", "not c.isdigit()", "remove the digits", "drop all digits"),
    _keep("keep_capitals", "c.isupper()", "keep only the capital letters", "remove all but the capitals"),
    _keep("keep_lowercase", "c.islower()", "keep only the lower case letters", "remove all but the small letters"),
    _keep(
        "keep_chars_after",
        "c > $a",
        "keep the characters after $a in order",
        "drop the characters up to $a",
        domains=(LETTERS,),
    ),
)

FROM = (
    _from(
        "text_length",
        "number",
        "len($v)",
        ("count the characters",),
        ("the length of the text", "how many characters there are"),
        ordering="ignores",
    ),
    _from(
        "count_char",
        "number",
        "$v.count($a)",
        ("count how often $a occurs",),
        ("how many times $a appears", "the number of $a characters"),
        (LETTERS,),
        "ignores",
    ),
    _from(
        "count_vowels",
        "number",
        'sum(1 for c in $v if c in "aeiou")',
        ("count the vowels",),
        ("the number of vowels", "how many vowels there are"),
        ordering="ignores",
    ),
    _from(
        "count_capitals",
        "number",
        "sum(1 for c in $v if c.isupper())",
        ("count the capital letters",),
        ("how many letters are capital",),
        ordering="ignores",
    ),
    _from(
        "count_digits",
        "number",
        "sum(1 for c in $v if c.isdigit())",
        ("count the digits",),
        ("how many digits there are",),
        ordering="ignores",
    ),
    _from(
        "count_words",
        "number",
        "len($v.split())",
        ("count the words",),
        ("the number of words", "how many words there are"),
    ),
    _from(
        "count_chars",
        "number",
        "len(set($v))",
        ("count the distinct characters",),
        ("the number of different characters",),
        ordering="ignores",
    ),
    _from(
        "find_char",
        "number",
        "$v.find($a)",
        ("find the first position of $a, or -1",),
        ("the index of the first $a, or -1",),
        (LETTERS,),
    ),
    _from(
        "find_last_char",
        "number",
        "$v.rfind($a)",
        ("find the last position of $a, or -1",),
        ("the index of the last $a, or -1",),
        (LETTERS,),
    ),
    _from(
        "split_words", "words", "$v.split()", ("split the text into words", "split at spaces"), ("the list of words",)
    ),
    _from(
        "split_at", "words", "$v.split($a)", ("split the text at every $a", "cut the text at each $a"), (), (LETTERS,)
    ),
    _from(
        "characters",
        "words",
        "list($v)",
        ("make a list of the characters", "split the text into characters"),
        ("the list of characters",),
    ),
    _from(
        "char_codes",
        "numbers",
        "[ord(c) for c in $v]",
        ("replace each character by its code point", "list the character codes"),
        ("the list of code points",),
    ),
    _from(
        "digit_values",
        "numbers",
        "[int(c) for c in $v if c.isdigit()]",
        ("list the digits as numbers", "collect the digits as numbers"),
        ("the digits as a list of numbers",),
    ),
    _from(
        "word_lengths",
        "numbers",
        "[len(w) for w in $v.split()]",
        ("list the lengths of the words",),
        ("the length of each word",),
    ),
    _from(
        "char_counts",
        "table",
        "{c: $v.count(c) for c in $v}",
        ("count each character", "map every character to its count"),
        ("a dictionary from character to count",),
    ),
    _from(
        "is_palindrome",
        "truth",
        "$v == $v[::-1]",
        ("check whether the text reads the same backwards",),
        ("whether the text is a palindrome",),
    ),
    _from(
        "starts_with",
        "truth",
        "$v.startswith($a)",
        ("check whether the text starts with $a",),
        ("whether it begins with $a",),
        (LETTERS,),
    ),
    _from(
        "ends_with",
        "truth",
        "$v.endswith($a)",
        ("check whether the text ends with $a",),
        ("whether it ends in $a",),
        (LETTERS,),
    ),
    _from(
        "has_char",
        "truth",
        "$a in $v",
        ("check whether $a occurs in the text",),
        ("whether the text contains $a",),
        (LETTERS,),
        "ignores",
    ),
)

OPERATIONS = CHANGE + KEEP + FROM
