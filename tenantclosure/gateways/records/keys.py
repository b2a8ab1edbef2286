"""Table keys: any text as a Table Storage key that sorts exactly as the text does.

Table Storage forbids `/ \\ # ?` and control characters in keys, warns of `%`, and sorts by UTF-16 units. So keys are
written in plain ASCII, each character as one token. Tokens sort as their characters do and none begins another, so
keys compare as Python compares the texts (by code point), and a range of texts is a range of keys:

```text
the empty text          !            (Azurite and some tools stumble over empty keys)
U+0000 .. "!"           !hh          two hex digits
" #   $ %   & '         "0 "1   $0 $1   &0 &1
. /   > ?   [ \\         .0 .1   >0 >1   [0 [1
"~" .. U+10FFFF         ~hhhhhh      six hex digits
anything else           itself
```

A forbidden character borrows its left neighbour as the escape sign, since nothing else sorts in between.
"""

from tenantclosure.gateways.records.faults import RecordTooLarge

LIMIT = 512
"""Characters in a key: Table Storage allows 1 KiB of UTF-16."""

_EMPTY = "!"
_PAIRS = ('"#', "$%", "&'", "./", ">?", "[\\")
_TOKENS = {char: pair[0] + str(place) for pair in _PAIRS for place, char in enumerate(pair)}
_LEADS = frozenset(pair[0] for pair in _PAIRS)
_CHARS = {token: char for char, token in _TOKENS.items()}


def escape(text: str) -> str:
    """The key that stands for a text. Raises RecordTooLarge past 512 characters after escaping."""
    key = "".join(map(_token, text)) or _EMPTY
    if len(key) > LIMIT:
        raise RecordTooLarge(f"The key {text[:40]!r}... takes {len(key)} characters; {LIMIT} is the most.")
    return key


def bound(text: str) -> str:
    """A text as the end of a range: like `escape`, of any length, since it is only compared with."""
    return "".join(map(_token, text)) or _EMPTY


def unescape(key: str) -> str:
    """The text that a key stands for."""
    if key == _EMPTY:
        return ""
    text, at = [], 0
    while at < len(key):
        lead = key[at]
        width = 3 if lead == "!" else 7 if lead == "~" else 2 if lead in _LEADS else 1
        token = key[at : at + width]
        at += width
        text.append(chr(int(token[1:], 16)) if lead in "!~" else _CHARS.get(token, token))
    return "".join(text)


def _token(char: str) -> str:
    if char <= "!":
        return f"!{ord(char):02x}"
    if char >= "~":
        return f"~{ord(char):06x}"
    return _TOKENS.get(char, char)
