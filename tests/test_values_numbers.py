"""Key lengths in the ways inventories write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values_cases import ADVERSARIAL, changed, is_chained

from pipeline.findings import Code
from pipeline.values.numbers import CURVES, read_key_length
from pipeline.values.steps import Reading


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        *((text, "2048") for text in ("2048 bit", "2048 bits", "2048 Bits", "2048bit", "2048-bit", " 2048 BIT ")),
        *((text, "2048") for text in ("0x800", "0X800", "0x800 (2048)", "0x800(2048)", "0x000800 (02048)")),
        *(
            (text, "2048")
            for text in ("RSA 2048", "RSA2048", "RSA-2048", "RSA_2048", "RSA (2048 Bits)", "rsa 2048 bit")
        ),
        *((text, "2048") for text in ("2048.0", "2048,0", "2,048", "2.048", "2'048", "2 048")),
        *((text, "2048") for text in ("+2048", "0002048", "02048.0", " 02048")),
        *((text, "16384") for text in ("16,384", "16384.0", "RSA 16384", "0x4000 (16384)")),
        *((text, "256") for text in ("P-256", "p256", "nistP256", "secp256r1", "prime256v1", "ECDSA_P256", "EC 256")),
        *((text, "384") for text in ("P-384", "ECC (384 Bits)", "ECDH_P384", "ECC384")),
        *((text, "521") for text in ("P-521", "secp521r1", "ECDSA 521")),
    ],
)
def test_a_key_length_becomes_its_number_of_bits(text: str, bits: str) -> None:
    """Units, algorithms, curves, hexadecimal and grouped digits lead to the number."""
    assert read_key_length(text) == changed(Code.KEY_LENGTH_FORM, text, bits)


@pytest.mark.parametrize(
    "text",
    [
        *("2048", "0", "4", "-2048", " 2048 ", ""),
        *("0x800 (2049)", "0x800 (20480)", "0x800 (0000000020480)", "0x", "0x1000000", "800h", "0x8_00"),
        *(
            "2048 byte",
            "256 bytes",
            "2048 kbit",
            "2048-4096",
            "2048/4096",
            "~2048",
            "2048.5",
            "2048.00",
            "2,04",
            "0.256",
        ),
        *("Ed25519", "X25519", "P-192", "RSA", "RSA 2048 SHA256", "AES 256", "sha256RSA", "SHA256", "2e11"),
        *("\u0662\u0660\u0664\u0668", "\uff12\uff10\uff14\uff18 bit", "\u0662\u0660\u0664\u0668 bit", "twenty"),
    ],
)
def test_a_key_length_is_not_guessed(text: str) -> None:
    """Plain digits, contradictions, other units, other algorithms and other scripts stay as written."""
    assert read_key_length(text) == Reading(text)


@given(
    st.one_of(
        st.text(),
        st.text("0123456789xX().,' bitsRSAEC-", max_size=16),
        st.sampled_from(list(CURVES)),
        st.integers().map(lambda number: f"{number:#x} ({number})"),
        st.integers(0, 99_999).map(lambda number: f"{number:,}"),
    )
)
def test_a_key_length_is_read_once(text: str) -> None:
    """A second reading changes nothing, and what the rule makes is digits."""
    reading = read_key_length(text)

    assert is_chained(text, reading)
    assert read_key_length(reading.text) == Reading(reading.text)
    assert [step.text.isascii() and step.text.isdecimal() for step in reading.steps] in ([], [True])


@given(st.integers(0, 0xFFFFFF))
def test_the_number_stays_the_same(number: int) -> None:
    """Every spelling of a number leads to that number."""
    for text in (f"{number:#x}", f"{number:#x} ({number})"):
        assert int(read_key_length(text).text) == number


@pytest.mark.parametrize("text", ADVERSARIAL, ids=range(len(ADVERSARIAL)))
def test_no_text_takes_long(text: str) -> None:
    """The longest cells come back, whatever they repeat."""
    assert read_key_length(text) == Reading(text)
