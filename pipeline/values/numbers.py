"""Whole numbers: key lengths as inventories write them."""

import re
from collections.abc import Mapping

from pipeline.findings import Code
from pipeline.values.steps import Reading, Step

BITS = re.compile(r"([0-9]{3,5})[ -]?bits?", re.IGNORECASE)
HEX_WITH_DECIMAL = re.compile(r"0x([0-9a-f]{1,6}) ?\(([0-9]{1,8})\)", re.IGNORECASE)
"""How certutil writes a number: 0x800 (2048)."""

HEX = re.compile(r"0x([0-9a-f]{1,6})", re.IGNORECASE)
WITH_ALGORITHM = re.compile(r"(?:RSA|DSA|ECC|EC|ECDSA|ECDH)[ _-]?\(?([0-9]{3,5})(?:[ -]?bits?)?\)?", re.IGNORECASE)
"""How Windows' certificate dialog writes a public key: RSA (2048 Bits)."""

PADDED = re.compile(r"\+?([0-9]{1,10})")
GROUPED = re.compile(r"([1-9][0-9]?)[.,' ]([0-9]{3})")
FLOAT = re.compile(r"([0-9]{3,5})[.,]0")

CURVES: Mapping[str, str] = {
    name: bits
    for bits, names in {
        "256": ("p-256", "p256", "nistp256", "secp256r1", "prime256v1", "ecdsap256", "ecdsa_p256", "ecdh_p256"),
        "384": ("p-384", "p384", "nistp384", "secp384r1", "ecdsap384", "ecdsa_p384", "ecdh_p384"),
        "521": ("p-521", "p521", "nistp521", "secp521r1", "ecdsap521", "ecdsa_p521", "ecdh_p521"),
    }.items()
    for name in names
}
"""Names of the NIST curves (FIPS 186-5, SEC 2, Windows' CNG) and the bits of their keys."""


def read_key_length(text: str) -> Reading:
    """Return the number of bits in digits, where the text says it in another way that is certain."""
    trimmed = text.strip()
    digits = _bits_of(trimmed)
    if digits in {"", trimmed}:
        return Reading(text)
    return Reading(digits, (Step(Code.KEY_LENGTH_FORM, text, digits),))


def _bits_of(trimmed: str) -> str:
    if curve := CURVES.get(trimmed.casefold()):
        return curve
    if both := HEX_WITH_DECIMAL.fullmatch(trimmed):
        return str(int(both[1], 16)) if int(both[1], 16) == int(both[2]) else ""
    if found := HEX.fullmatch(trimmed):
        return str(int(found[1], 16))
    for form in (PADDED, BITS, WITH_ALGORITHM, FLOAT, GROUPED):
        if found := form.fullmatch(trimmed):
            return "".join(found.groups()).lstrip("0") or "0"
    return ""
