# SPDX-License-Identifier: Apache-2.0
"""Operations on lists of words."""

from .operation import COUNTS, LETTERS, MARKS, SMALL, STEMS, Operation


def _keep(name, condition, *phrases, domains=()):
    code = "[w for w in $v if " + condition + "]"
    return Operation(name, "words", "words", code, phrases, (), domains, "keep:" + name.split("_")[-1])


def _each(name, expression, *phrases, domains=(), group=""):
    code = "[" + expression + " for w in $v]"
    return Operation(name, "words", "words", code, phrases, (), domains, group)


def _whole(name, code, *phrases, domains=(), group="", ordering=""):
    return Operation(name, "words", "words", code, phrases, (), domains, group, ordering)


def _from(name, gives, code, phrases, nouns=(), domains=(), ordering=""):
    return Operation(name, "words", gives, code, phrases, nouns, domains, "", ordering)


KEEP = (
    _keep(
        "words_longer",
        "len(w) > $a",
        "keep the words longer than $a",
        "keep only words with more than $a letters",
        "drop the words of at most $a letters",
        domains=(COUNTS,),
    ),
    _keep(
        "words_shorter",
        "len(w) < $a",
        "keep the words shorter than $a",
        "keep only words with fewer than $a letters",
        "drop the words of at least $a letters",
        domains=(SMALL,),
    ),
    _keep(
        "words_starting",
        "w.startswith($a)",
        "keep the words that start with $a",
        "keep only words beginning with $a",
        domains=(LETTERS,),
    ),
    _keep(
        "words_not_starting",
        "not w.startswith($a)",
        "drop the words that start with $a",
        "remove words beginning with $a",
        domains=(LETTERS,),
    ),
    _keep(
        "words_ending",
        "w.endswith($a)",
        "keep the words that end with $a",
        "keep only words ending in $a",
        domains=(LETTERS,),
    ),
    _keep(
        "words_having",
        "$a in w",
        "keep the words that contain $a",
        "keep only words with $a in them",
        domains=(LETTERS,),
    ),
    _keep(
        "words_lacking",
        "$a not in w",
        "drop the words that contain $a",
        "remove words with $a in them",
        domains=(LETTERS,),
    ),
    _keep("words_evenlong", "len(w) % 2 == 0", "keep the words of even length", "drop words of odd length"),
    _keep("words_nonempty", "w", "drop empty words", "remove empty strings"),
    _keep(
        "words_palindromic",
        "w == w[::-1]",
        "keep the words that are palindromes",
        "keep only words that read the same backwards",
    ),
)

EACH = (
    _each(
        "words_upper", "w.upper()", "change each word to upper case", "convert every word to uppercase", group="case"
    ),
    _each(
        "words_lower", "w.lower()", "change each word to lower case", "convert every word to lowercase", group="case"
    ),
    _each(
        "words_capitalize",
        "w.capitalize()",
        "capitalize each word",
        "give every word a capital first letter",
        group="case",
    ),
    _each(
        "words_swap",
        "w.swapcase()",
        "swap the case of each word",
        "flip upper and lower case in every word",
        group="case",
    ),
    _each("words_reverse", "w[::-1]", "reverse each word", "write every word backwards"),
    _each(
        "words_first",
        "w[:$a]",
        "keep the first $a letters of each word",
        "cut every word to $a letters",
        domains=(COUNTS,),
        group="cut",
    ),
    _each(
        "words_last",
        "w[-$a:]",
        "keep the last $a letters of each word",
        "cut every word to its last $a letters",
        domains=(COUNTS,),
        group="cut",
    ),
    _each(
        "words_skip",
        "w[$a:]",
        "drop the first $a letters of each word",
        "remove the first $a letters from every word",
        domains=((1, 2, 3),),
        group="cut",
    ),
    _each(
        "words_prefix",
        "$a + w",
        "put $a in front of each word",
        "prepend $a to every word",
        domains=(STEMS,),
        group="put",
    ),
    _each(
        "words_suffix",
        "w + $a",
        "append $a to each word",
        "put $a at the end of every word",
        domains=(STEMS,),
        group="put",
    ),
    _each(
        "words_repeat", "w * $a", "repeat each word $a times", "write every word $a times in a row", domains=((2, 3),)
    ),
    _each(
        "words_delete",
        'w.replace($a, "")',
        "remove $a from each word",
        "delete every $a in the words",
        domains=(LETTERS,),
    ),
    _each(
        "words_replace",
        "w.replace($a, $b)",
        "replace $a by $b in each word",
        "change every $a into $b in the words",
        domains=(LETTERS, MARKS),
    ),
    _each(
        "words_wrap",
        "$a + w + $a",
        "surround each word with $a",
        "put $a on both sides of every word",
        domains=(MARKS,),
        group="put",
    ),
)

WHOLE = (
    _whole(
        "words_sort",
        "sorted($v)",
        "sort the words",
        "put the words in alphabetical order",
        group="order",
        ordering="sets",
    ),
    _whole(
        "words_sort_down",
        "sorted($v, reverse=True)",
        "sort the words in reverse alphabetical order",
        "sort the words from last to first",
        group="order",
        ordering="sets",
    ),
    _whole(
        "words_sort_length",
        "sorted($v, key=len)",
        "sort the words by length",
        "order the words from shortest to longest",
        group="order",
        ordering="sets",
    ),
    _whole(
        "words_turn",
        "$v[::-1]",
        "reverse the list",
        "reverse the order of the words",
        "turn the list around",
        group="order",
        ordering="sets",
    ),
    _whole(
        "words_distinct",
        "list(dict.fromkeys($v))",
        "remove duplicate words",
        "keep only the first of equal words",
        "drop repeated words",
    ),
    _whole(
        "words_take",
        "$v[:$a]",
        "take the first $a words",
        "keep only the first $a words",
        domains=(COUNTS,),
        group="cut list",
    ),
    _whole(
        "words_take_last",
        "$v[-$a:]",
        "take the last $a words",
        "keep only the last $a words",
        domains=(COUNTS,),
        group="cut list",
    ),
    _whole(
        "words_drop",
        "$v[$a:]",
        "skip the first $a words",
        "drop the first $a words",
        domains=((1, 2, 3),),
        group="cut list",
    ),
    _whole(
        "words_drop_last",
        "$v[:-$a]",
        "drop the last $a words",
        "leave out the last $a words",
        domains=((1, 2, 3),),
        group="cut list",
    ),
    _whole(
        "words_every",
        "$v[::$a]",
        "keep one word in $a, starting with the first",
        "take every word whose index is a multiple of $a",
        domains=((2, 3),),
    ),
    _whole(
        "words_append",
        "$v + [$a]",
        "append the word $a",
        "add $a at the end of the list",
        domains=(STEMS,),
        group="put list",
    ),
    _whole(
        "words_prepend",
        "[$a] + $v",
        "prepend the word $a",
        "insert $a at the start of the list",
        domains=(STEMS,),
        group="put list",
    ),
    _whole(
        "words_number",
        "[str(i) + w for i, w in enumerate($v)]",
        "put its index in front of each word",
        "prepend to every word its position counted from 0",
    ),
)

FROM = (
    _from(
        "words_count",
        "number",
        "len($v)",
        ("count the words",),
        ("the number of words", "how many words there are"),
        ordering="ignores",
    ),
    _from(
        "words_letters",
        "number",
        "sum(len(w) for w in $v)",
        ("count the letters of all words",),
        ("the total length of the words",),
        ordering="ignores",
    ),
    _from(
        "words_longest_length",
        "number",
        "max((len(w) for w in $v), default=0)",
        ("find the length of the longest word, or 0",),
        ("the greatest word length (0 if empty)",),
        ordering="ignores",
    ),
    _from(
        "words_count_value",
        "number",
        "sum(1 for w in $v if $a in w)",
        ("count the words that contain $a",),
        ("how many words contain $a",),
        (LETTERS,),
        "ignores",
    ),
    _from(
        "words_count_longer",
        "number",
        "sum(1 for w in $v if len(w) > $a)",
        ("count the words longer than $a",),
        ("how many words have more than $a letters",),
        (COUNTS,),
        "ignores",
    ),
    _from(
        "words_count_distinct",
        "number",
        "len(set($v))",
        ("count the distinct words",),
        ("the number of different words",),
        ordering="ignores",
    ),
    _from(
        "words_join",
        "text",
        "$a.join($v)",
        ("join the words with $a", "glue the words together with $a"),
        ("the words joined by $a",),
        (MARKS,),
    ),
    _from("words_join_space", "text", '" ".join($v)', ("join the words with spaces",), ("the words joined by spaces",)),
    _from(
        "words_concat",
        "text",
        '"".join($v)',
        ("concatenate the words", "join the words with nothing between"),
        ("the concatenation of the words",),
    ),
    _from(
        "words_longest",
        "text",
        'max($v, key=len, default="")',
        ("find the longest word, or the empty string",),
        ("the longest word (empty if none is left)",),
    ),
    _from(
        "words_shortest",
        "text",
        'min($v, key=len, default="")',
        ("find the shortest word, or the empty string",),
        ("the shortest word (empty if none is left)",),
    ),
    _from(
        "words_smallest",
        "text",
        'min($v, default="")',
        ("find the alphabetically first word, or the empty string",),
        ("the alphabetically first word (empty if none is left)",),
        ordering="ignores",
    ),
    _from(
        "words_initials",
        "text",
        '"".join(w[:1] for w in $v)',
        ("join the first letters of the words",),
        ("the initials as one text",),
    ),
    _from(
        "words_lengths",
        "numbers",
        "[len(w) for w in $v]",
        ("replace each word by its length", "list the lengths of the words"),
        ("the length of each word",),
    ),
    _from(
        "words_counts_of",
        "numbers",
        "[w.count($a) for w in $v]",
        ("replace each word by how often it has $a",),
        ("the number of $a in each word",),
        (LETTERS,),
    ),
    _from(
        "words_table",
        "table",
        "{w: len(w) for w in $v}",
        ("map each word to its length",),
        ("a dictionary from word to length",),
    ),
    _from(
        "words_frequency",
        "table",
        "{w: $v.count(w) for w in $v}",
        ("count each word", "map every word to its count"),
        ("a dictionary from word to count",),
    ),
    _from(
        "words_index",
        "table",
        "{w: i for i, w in enumerate($v)}",
        ("map each word to its last index",),
        ("a dictionary from word to its last index",),
    ),
    _from(
        "words_any_longer",
        "truth",
        "any(len(w) > $a for w in $v)",
        ("check whether any word is longer than $a",),
        ("whether some word has more than $a letters",),
        (SMALL,),
        "ignores",
    ),
    _from(
        "words_all_have",
        "truth",
        "all($a in w for w in $v)",
        ("check whether every word contains $a",),
        ("whether all words contain $a",),
        (LETTERS,),
        "ignores",
    ),
)

OPERATIONS = KEEP + EACH + WHOLE + FROM
