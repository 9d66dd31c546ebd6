"""How numbers of things and times are said, wherever somebody reads them. No I/O."""


def counted(number: int, noun: str) -> str:
    """Return such as `1 row` or `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return such as 45 s, 3 min 20 s or 5 h 33 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3_600:,} h {whole % 3_600 // 60} min"
