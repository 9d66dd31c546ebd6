"""How well a text fits an encoding: which languages the encoding was made for, and how their words look. No I/O.

charset-normalizer tells text from noise and one script from another, but between encodings of Latin letters its
measures are equal for the few words that an inventory holds outside ASCII. The alphabets decide there: `Jiøí` is a
word of no language that cp1252 was made for, `Jiří` is one of those of cp1250.
"""

import re
from typing import NamedTuple

GERMAN = "äöüß"
WESTERN = (
    GERMAN,
    "àâæçéèêëîïôœùûüÿ",  # French
    "áéíñóúüªº",  # Spanish
    "áâãàçéêíóôõúªº",  # Portuguese
    "àèéìíîòóùú",  # Italian
    "àçèéíïòóúü·",  # Catalan
    "áéèêëïíóöúü",  # Dutch
    "æøåäöéóô",  # Danish, Norwegian
    "åäöéàü",  # Swedish
    "åäöšž",  # Finnish
    "áðéíóúýþæö",  # Icelandic
)
CENTRAL = (
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíĺľňóôŕšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "čćđšž",  # Croatian, Slovenian
    "ăâîşţ",  # Romanian
    "çë",  # Albanian
    GERMAN,
)
TURKISH = ("çğıöşüâîû\u0307", GERMAN)  # U+0307: what is left of İ in lower case
BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äöüõšž", "ąćęłńóśźż", GERMAN)  # Lithuanian, Latvian, Estonian
CYRILLIC = ("".join(map(chr, range(0x0430, 0x0460))) + "ґ",)
GREEK = ("ΐάέήίΰ" + "".join(map(chr, range(0x03B1, 0x03CF))),)
HEBREW = ("".join(map(chr, range(0x05D0, 0x05EB))),)
ARABIC = ("".join(map(chr, range(0x0621, 0x0653))) + "پچژگکی",)

TOUCHING_SIGNS = (
    "\u201a\u201e\u2039\u203a\u2018\u2019\u201c\u201d«»™®©¡¿…\xad"  # quotation marks in escapes: they look alike
)
"""What people write at the beginning or end of a word, without a blank."""

LONE_SIGNS = TOUCHING_SIGNS + "€†‡‰•\u2013\u2014£§°±²³µ¶·¼½¾\xd7÷№"
"""What people write beside words: typographic signs, units, currencies. `£ukasz` is a wrong encoding."""

LATIN_TOKEN = re.compile(r"[A-Za-z\u0080-\uffff]*[\u0080-\uffff][A-Za-z\u0080-\uffff]*")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
CAPITAL_WITHIN = re.compile("lU|[uU]Ul")  # `GerŠt`, `MŸller`: the mark of a wrong encoding
SPLITTING_SIGN = re.compile("[\xa0\u2013\u2014…\u2019\xb4·/]")


class Charset(NamedTuple):
    """An encoding that inventories come in, and the letters of the languages it was made for."""

    codec: str  # as Python's codecs name it
    alphabets: tuple[str, ...]  # in lower case, without ASCII; () for the East Asian ones
    is_latin: bool = True  # ASCII letters stand in the same words
    is_rare: bool = False  # of DOS and the old Macintosh
    common: tuple[str, int, int] = ("", 0, 0)  # East Asian: codec and first bytes of the characters in daily use


# In the order of preference between equals: certstate's users are Windows administrators.
CHARSETS = (
    Charset("cp1252", WESTERN),
    Charset("cp1250", CENTRAL),
    Charset("cp1254", TURKISH),
    Charset("cp1257", BALTIC),
    Charset("iso8859-15", WESTERN),
    Charset("iso8859-2", CENTRAL),
    Charset("iso8859-9", TURKISH),
    Charset("cp850", WESTERN, is_rare=True),
    Charset("cp437", WESTERN, is_rare=True),
    Charset("cp852", CENTRAL, is_rare=True),
    Charset("mac-roman", WESTERN, is_rare=True),
    Charset("cp1251", CYRILLIC, is_latin=False),
    Charset("cp866", CYRILLIC, is_latin=False, is_rare=True),
    Charset("koi8-r", CYRILLIC, is_latin=False),
    Charset("iso8859-5", CYRILLIC, is_latin=False),
    Charset("cp1253", GREEK, is_latin=False),
    Charset("iso8859-7", GREEK, is_latin=False),
    Charset("cp1255", HEBREW, is_latin=False),
    Charset("cp1256", ARABIC, is_latin=False),
    # The first bytes: kanji of JIS X 0208 level 1, hanzi of GB 2312 level 1 and of Big5 level 1, Hangul of KS X 1001.
    Charset("cp932", (), is_latin=False, common=("euc_jp", 0xB0, 0xCF)),
    Charset("euc_jp", (), is_latin=False, common=("euc_jp", 0xB0, 0xCF)),
    Charset("gb18030", (), is_latin=False, common=("gb2312", 0xB0, 0xD7)),
    Charset("big5", (), is_latin=False, common=("big5", 0xA4, 0xC6)),
    Charset("cp949", (), is_latin=False, common=("euc_kr", 0xB0, 0xC8)),
)

# Encodings that nobody has to look for, because one of those above reads nearly the same; but they may be named.
SAME_LETTERS = {
    "iso8859-1": "cp1252",
    "cp858": "cp850",
    "koi8-u": "koi8-r",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5hkscs": "big5",
    "cp950": "big5",
    "euc_kr": "cp949",
}


def fit(charset: Charset, text: str) -> float:
    """Return the share, 0 to 1, of the words with letters outside ASCII that a language of the charset could have.

    For an East Asian charset it is the share of the characters outside ASCII that are in daily use there. A text
    with control characters other than line breaks and tabs fits none.
    """
    if CONTROL.search(text):
        return 0.0
    if charset.common[0]:
        foreign = [character for character in text if not character.isascii()]
        return sum(_is_common(charset.common, character) for character in foreign) / max(1, len(foreign))
    words = LATIN_TOKEN.findall(text)
    return sum(_is_word(charset, word) for word in words) / max(1, len(words))


def _is_word(charset: Charset, token: str) -> bool:
    for part in SPLITTING_SIGN.split(token):
        if not part.strip(LONE_SIGNS):
            continue
        word = part.strip(TOUCHING_SIGNS)
        foreign = {character for character in word.lower() if not character.isascii()}
        if foreign and not any(foreign <= set(alphabet) for alphabet in charset.alphabets):
            return False
        if foreign and not charset.is_latin and any(character.isascii() for character in word):
            return False
        if CAPITAL_WITHIN.search(_case_of(word)):
            return False
    return True


def _case_of(word: str) -> str:
    """Return one letter for each character: U for a capital outside ASCII, u for one within, else l or blank."""
    return "".join(
        ("u" if character.isascii() else "U") if character.isupper() else "l" if character.isalpha() else " "
        for character in word
    )


def _is_common(common: tuple[str, int, int], character: str) -> bool:
    codec, first, last = common
    if "\u3000" <= character <= "\u3002" or "\uff01" <= character <= "\uff5e":
        return True  # punctuation and full-width forms, the same everywhere
    if codec == "euc_jp" and "\u3041" <= character <= "\u30fc":
        return True
    try:
        return first <= character.encode(codec)[0] <= last
    except UnicodeEncodeError:
        return False
