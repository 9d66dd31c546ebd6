"""Texts of a file within YAML that somebody is to paste. No I/O."""


def quoted(text: str) -> str:
    """Return the text as a double-quoted YAML scalar on one line (YAML 1.2, 5.7).

    What is not printable becomes an escape with two, four or eight hexadecimal digits.
    """
    return f'"{one_line(text.replace(chr(92), chr(92) * 2)).replace(chr(34), chr(92) + chr(34))}"'


def one_line(text: str) -> str:
    """Return the text with an escape for each sign that is not printable, line breaks among them."""
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
