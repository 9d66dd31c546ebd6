"""Traps in the values: identifiers, numbers, words, free text, and what config.yaml declares."""

from typing import Any

from corpus.case import (
    DEVICE,
    EKU,
    ISSUER,
    KEY_LENGTH,
    KEY_USAGE,
    PLATFORM,
    SERIAL,
    THUMBPRINT,
    THUMBPRINTS,
    URL,
    USER,
    Case,
    Group,
    body,
    cells,
    delimited,
    error,
    info,
    text_case,
    value_case,
    warning,
)

from pipeline.findings import Code

FIRST = THUMBPRINTS[1]
OCTETS = tuple(FIRST[at : at + 2] for at in range(0, 40, 2))
SHA256 = "5F" * 16 + "C0" * 16

THUMBPRINT_CASES = (
    value_case(
        "thumbprint-u200e.csv",
        "Windows' certificate dialog put the mark U+200E before a copied thumbprint.",
        THUMBPRINT,
        f"\u200e{FIRST}",
        FIRST,
        warning(2, Code.INVISIBLE_MARK, THUMBPRINT, f"\u200e{FIRST}", FIRST),
    ),
    value_case(
        "thumbprint-ufeff.csv",
        "A byte order mark stands within a cell, as files that were joined have it.",
        THUMBPRINT,
        f"{FIRST}\ufeff",
        FIRST,
        warning(2, Code.INVISIBLE_MARK, THUMBPRINT, f"{FIRST}\ufeff", FIRST),
    ),
    value_case(
        "thumbprint-nbsp.csv",
        "The octets are parted by blanks that do not break a line, as web pages have them.",
        THUMBPRINT,
        "\u00a0".join(OCTETS),
        FIRST,
        warning(2, Code.INVISIBLE_MARK, THUMBPRINT, "\u00a0".join(OCTETS), " ".join(OCTETS)),
        info(2, Code.HEX_FORM, THUMBPRINT, " ".join(OCTETS), FIRST),
    ),
    value_case(
        "thumbprint-question-mark.csv",
        "Saved as ANSI, Windows' invisible mark became a question mark.",
        THUMBPRINT,
        f"?{FIRST}",
        None,
        error(2, Code.LOST_CHARACTER, THUMBPRINT),
    ),
    value_case(
        "thumbprint-colons.csv",
        "openssl writes colons between the octets.",
        THUMBPRINT,
        ":".join(OCTETS),
        FIRST,
        info(2, Code.HEX_FORM, THUMBPRINT, ":".join(OCTETS), FIRST),
    ),
    value_case(
        "thumbprint-blanks.csv",
        "certutil writes lower-case octets with blanks between them.",
        THUMBPRINT,
        " ".join(OCTETS).lower(),
        FIRST,
        info(2, Code.HEX_FORM, THUMBPRINT, " ".join(OCTETS).lower(), FIRST),
    ),
    value_case(
        "thumbprint-0x.csv",
        "The thumbprint begins with 0x.",
        THUMBPRINT,
        f"0x{FIRST}",
        FIRST,
        info(2, Code.HEX_FORM, THUMBPRINT, f"0x{FIRST}", FIRST),
    ),
    value_case(
        "thumbprint-lower-case.csv",
        "The thumbprint is in lower case.",
        THUMBPRINT,
        FIRST.lower(),
        FIRST,
        info(2, Code.HEX_FORM, THUMBPRINT, FIRST.lower(), FIRST),
    ),
    value_case(
        "thumbprint-sha256.csv",
        "The hash is SHA-256, which nobody can turn into a thumbprint.",
        THUMBPRINT,
        SHA256,
        SHA256,
        warning(2, Code.THUMBPRINT_SHAPE, THUMBPRINT),
    ),
    value_case(
        "thumbprint-cut.csv",
        "The thumbprint has 39 digits.",
        THUMBPRINT,
        FIRST[:39],
        FIRST[:39],
        warning(2, Code.THUMBPRINT_SHAPE, THUMBPRINT),
    ),
    value_case(
        "thumbprint-no-repair.csv",
        "With `--no-repair` colons are sent as the file has them.",
        THUMBPRINT,
        ":".join(OCTETS),
        ":".join(OCTETS),
        warning(2, Code.THUMBPRINT_SHAPE, THUMBPRINT),
        repairs=False,
    ),
    value_case(
        "thumbprint-empty.csv",
        "A required cell is empty, and without thumbprint and issuer nothing identifies the certificate.",
        THUMBPRINT,
        "",
        None,
        error(2, Code.MISSING_VALUE, THUMBPRINT),
        error(2, Code.NO_IDENTITY),
        clean=(THUMBPRINTS[2], THUMBPRINTS[2]),
    ),
)

SERIAL_CASES = (
    value_case(
        "serial-openssl-short.csv",
        "openssl prints short serial numbers in decimal and hexadecimal digits.",
        SERIAL,
        "167 (0xa7)",
        "A7",
        info(2, Code.SERIAL_NUMBER_FORM, SERIAL, "167 (0xa7)", "A7"),
    ),
    value_case(
        "serial-negative.csv",
        "The sign octet is missing, so the serial number counts as negative: -0x5B are the octets A5.",
        SERIAL,
        "-5B",
        "A5",
        info(2, Code.SERIAL_NUMBER_FORM, SERIAL, "-5B", "A5"),
    ),
    value_case(
        "serial-negative-ambiguous.csv",
        "-59 is C5 in decimal and A7 in hexadecimal digits.",
        SERIAL,
        "-59",
        "-59",
        warning(2, Code.AMBIGUOUS_SERIAL_NUMBER, SERIAL),
        warning(2, Code.SERIAL_NUMBER_SHAPE, SERIAL),
    ),
    value_case(
        "serial-negative-hex.csv",
        "-59, declared as hexadecimal.",
        SERIAL,
        "-59",
        "A7",
        info(2, Code.SERIAL_NUMBER_FORM, SERIAL, "-59", "A7"),
        config="serial: hex\n",
    ),
    value_case(
        "serial-ambiguous.csv",
        "Decimal digits only: 11259375 or ABCDEF?",
        SERIAL,
        "11259375",
        "11259375",
        warning(2, Code.AMBIGUOUS_SERIAL_NUMBER, SERIAL),
    ),
    value_case(
        "serial-decimal.csv",
        "Decimal digits, declared as such.",
        SERIAL,
        "11259375",
        "ABCDEF",
        info(2, Code.SERIAL_NUMBER_FORM, SERIAL, "11259375", "ABCDEF"),
        config="serial: decimal\n",
    ),
    value_case(
        "serial-leading-zeros.csv",
        "Leading zeros are the sign octet that .NET and DER write: they stay.",
        SERIAL,
        "00A7",
        "00A7",
    ),
    value_case(
        "serial-colons.csv",
        "openssl writes long serial numbers in lower case with colons.",
        SERIAL,
        "00:c3:0f:9a",
        "00C30F9A",
        info(2, Code.HEX_FORM, SERIAL, "00:c3:0f:9a", "00C30F9A"),
    ),
    value_case(
        "serial-float.csv",
        "A spreadsheet took the serial number for a number: digits are lost.",
        SERIAL,
        "1.23E+18",
        None,
        error(2, Code.FLOAT_IDENTIFIER, SERIAL),
    ),
    value_case(
        "serial-float-comma.csv",
        "The same with a decimal comma.",
        SERIAL,
        "1,23457E+39",
        None,
        error(2, Code.FLOAT_IDENTIFIER, SERIAL),
        delimiter=";",
    ),
    value_case(
        "serial-float-zero.csv",
        "A program read the column as floating-point numbers.",
        SERIAL,
        "12345.0",
        None,
        error(2, Code.FLOAT_IDENTIFIER, SERIAL),
    ),
    value_case(
        "serial-rounded.csv",
        "Only zeros stand behind the fifteenth digit: a spreadsheet has rounded the number.",
        SERIAL,
        "123456789012345000",
        None,
        error(2, Code.ROUNDED_IDENTIFIER, SERIAL),
    ),
    value_case(
        "serial-too-long.csv",
        "The serial number has more than the 20 octets of RFC 5280.",
        SERIAL,
        "C3" * 22,
        "C3" * 22,
        warning(2, Code.SERIAL_NUMBER_SHAPE, SERIAL),
    ),
)


def key_length(name: str, trap: str, was: str) -> Case:
    """Return the case of a key length of 2048 that is written in another way."""
    found = info(2, Code.KEY_LENGTH_FORM, KEY_LENGTH, was, "2048")
    return value_case(f"key-length-{name}.csv", trap, KEY_LENGTH, was, 2048, found)


def key_usage(
    name: str,
    trap: str,
    was: str,
    sent: str | None,
    code: Code,
    **options: Any,  # noqa: ANN401 - the fields of Case
) -> Case:
    """Return the case of a key usage that is repaired by the rule, or refused with the code."""
    found = info(2, code, KEY_USAGE, was, sent) if sent else error(2, code, KEY_USAGE)
    return value_case(f"key-usage-{name}.csv", trap, KEY_USAGE, was, sent, found, **options)


BOTH = "digitalSignature,keyEncipherment"

NUMBER_CASES = (
    key_length("bit", "The unit stands behind the number.", "2048 bit"),
    key_length("certutil", "certutil writes numbers twice.", "0x800 (2048)"),
    key_length("dialog", "Windows' dialog writes the algorithm too.", "RSA (2048 Bits)"),
    key_length("thousands", "A thousands separator stands in the number.", "2,048"),
    value_case(
        "key-length-curve.csv",
        "The name of a curve stands for its bits.",
        KEY_LENGTH,
        "P-256",
        256,
        info(2, Code.KEY_LENGTH_FORM, KEY_LENGTH, "P-256", "256"),
    ),
    value_case(
        "key-length-contradiction.csv",
        "0x800 is 2048, not 1024.",
        KEY_LENGTH,
        "0x800 (1024)",
        None,
        error(2, Code.NOT_AN_INTEGER, KEY_LENGTH),
    ),
    value_case(
        "key-length-unusual.csv",
        "No usual key has 2047 bits.",
        KEY_LENGTH,
        "2047",
        2047,
        warning(2, Code.KEY_LENGTH_UNUSUAL, KEY_LENGTH),
    ),
    value_case(
        "key-length-int32.csv",
        "The number is larger than Int32.",
        KEY_LENGTH,
        "2147483648",
        None,
        error(2, Code.INT32_RANGE, KEY_LENGTH),
    ),
)

WORD_CASES = (
    key_usage(
        "windows",
        "Windows writes words with their X.509 bits.",
        "Digital Signature, Key Encipherment (a0)",
        BOTH,
        Code.KEY_USAGE_FORM,
    ),
    key_usage("bits", "The X.509 bits a0 are not the numbers of Graph's enumeration.", "a0", BOTH, Code.KEY_USAGE_FORM),
    key_usage("contradiction", "The words and the bits differ.", "Key Encipherment (80)", None, Code.UNKNOWN_MEMBER),
    key_usage(
        "foreign",
        "The API has no member for non-repudiation, and leaving it out would say something else.",
        "Digital Signature, Non-Repudiation (c0)",
        None,
        Code.UNKNOWN_MEMBER,
    ),
    value_case(
        "key-usage-blank-and-case.csv",
        "The members are written in another letter case, with a blank between them.",
        KEY_USAGE,
        "DigitalSignature, keyEncipherment",
        BOTH,
        warning(
            2,
            Code.SURROUNDING_SPACE,
            KEY_USAGE,
            "DigitalSignature, keyEncipherment",
            "DigitalSignature,keyEncipherment",
        ),
        warning(2, Code.LETTER_CASE, KEY_USAGE, "DigitalSignature,keyEncipherment", BOTH),
    ),
    value_case(
        "key-usage-repeated.csv",
        "A member is written twice.",
        KEY_USAGE,
        "digitalSignature,digitalSignature",
        "digitalSignature",
        warning(2, Code.REPEATED_MEMBER, KEY_USAGE, "digitalSignature,digitalSignature", "digitalSignature"),
    ),
    value_case(
        "eku-oid.csv",
        "The extended key usage is an object identifier.",
        EKU,
        "1.3.6.1.5.5.7.3.2",
        "Client Authentication",
        info(2, Code.ENHANCED_KEY_USAGE_FORM, EKU, "1.3.6.1.5.5.7.3.2", "Client Authentication"),
    ),
    value_case(
        "eku-openssl.csv",
        "openssl writes short names.",
        EKU,
        "clientAuth, serverAuth",
        "Client Authentication, Server Authentication",
        info(
            2,
            Code.ENHANCED_KEY_USAGE_FORM,
            EKU,
            "clientAuth, serverAuth",
            "Client Authentication, Server Authentication",
        ),
    ),
    value_case(
        "eku-localised.csv",
        "Windows writes the names in its own language: they are sent as written.",
        EKU,
        "Clientauthentifizierung (1.3.6.1.5.5.7.3.2)",
        "Clientauthentifizierung (1.3.6.1.5.5.7.3.2)",
    ),
)


def platform(
    name: str,
    trap: str,
    was: str,
    sent: str | None,
    code: Code,
    **options: Any,  # noqa: ANN401 - the fields of Case
) -> Case:
    """Return the case of a platform that is repaired by the rule, or refused with the code."""
    found = info(2, code, PLATFORM, was, sent) if sent else error(2, code, PLATFORM)
    return value_case(f"platform-{name}.csv", trap, PLATFORM, was, sent, found, clean=("iOS", "iOS"), **options)


WINDOWS = "windows10AndLater"
PLATFORM_CASES = (
    platform("iphone", "iPhone is another word for iOS.", "iPhone", "iOS", Code.PLATFORM_SYNONYM),
    platform("os-x", "OS X is the old name of macOS.", "OS X", "macOS", Code.PLATFORM_SYNONYM),
    platform("windows-11", "Windows 11 belongs to windows10AndLater.", "Windows 11", WINDOWS, Code.PLATFORM_SYNONYM),
    platform("windows", "Windows alone stands for three platforms.", "Windows", None, Code.AMBIGUOUS_PLATFORM),
    platform("android", "Android devices are enrolled in four ways.", "Android", None, Code.AMBIGUOUS_PLATFORM),
    platform(
        "windows-declared",
        "`values:` says which platform Windows means.",
        "Windows",
        WINDOWS,
        Code.VALUE_MAP,
        config="values: {devicePlatform: {Windows: windows10AndLater}}\n",
    ),
    value_case(
        "platform-letter-case.csv",
        "IOS differs from iOS in letter case only.",
        PLATFORM,
        "IOS",
        "iOS",
        warning(2, Code.LETTER_CASE, PLATFORM, "IOS", "iOS"),
        clean=("iOS", "iOS"),
    ),
    platform("linux", "The API knows no Linux.", "Linux", None, Code.UNKNOWN_MEMBER),
)

TEXT_CASES = (
    value_case(
        "text-mark.csv",
        "A name holds a zero-width space that nobody sees.",
        USER,
        "Erika\u200b Example",
        "Erika Example",
        warning(2, Code.INVISIBLE_MARK, USER, "Erika\u200b Example", "Erika Example"),
    ),
    value_case(
        "text-emoji-joiner.csv",
        "A joiner within an emoji spells and stays.",
        USER,
        "Erika \U0001f469\u200d\U0001f4bb",
        "Erika \U0001f469\u200d\U0001f4bb",
    ),
    value_case(
        "text-blanks-around.csv",
        "Blanks around free text may be meant: they are sent and told.",
        USER,
        " Erika Example ",
        " Erika Example ",
        warning(2, Code.SURROUNDING_SPACE, USER),
    ),
    value_case(
        "text-replacement-character.csv",
        "U+FFFD stands where an earlier conversion lost a letter.",
        USER,
        "J\ufffdrgen Example",
        None,
        error(2, Code.LOST_CHARACTER, USER),
    ),
    value_case(
        "text-control-character.csv",
        "A control character came along from a binary export.",
        USER,
        "Erika\x07Example",
        None,
        error(2, Code.CONTROL_CHARACTER, USER),
    ),
    value_case(
        "text-error-value.csv",
        "A spreadsheet wrote its error into the CSV file.",
        USER,
        "#N/A",
        None,
        error(2, Code.ERROR_CELL, USER),
    ),
    value_case(
        "text-formula.csv",
        "A name that begins with = is dangerous in a report and harmless to the API: it is sent as written.",
        USER,
        "=HYPERLINK(1)",
        "=HYPERLINK(1)",
    ),
    value_case(
        "text-words-of-pandas.csv",
        "NA is a name here and no missing value.",
        USER,
        "NA",
        "NA",
    ),
    value_case(
        "url-blanks.csv",
        "A URL has no blanks around it.",
        URL,
        " https://ndes.contoso.com/scep",
        "https://ndes.contoso.com/scep",
        warning(2, Code.SURROUNDING_SPACE, URL, " https://ndes.contoso.com/scep", "https://ndes.contoso.com/scep"),
    ),
    value_case(
        "url-relative.csv",
        "The address has no scheme.",
        URL,
        "ndes.contoso.com/scep",
        None,
        error(2, Code.NOT_A_URL, URL),
    ),
)

ISSUER_TEMPLATE = 'templates: {certificateIssuer: "{Issuer} ({CA})"}\n'

DECLARED_CASES = (
    value_case(
        "declared-value-map.csv",
        "`values:` is for the whole cell, without letter case and blanks around it.",
        USER,
        " n/a ",
        "nobody",
        info(2, Code.VALUE_MAP, USER, " n/a ", "nobody"),
        config="values: {userDisplayName: {N/A: nobody}}\n",
    ),
    value_case(
        "declared-default.csv",
        "An empty cell is filled by `defaults:`.",
        USER,
        "",
        "nobody",
        info(2, Code.DEFAULT_VALUE, USER, "", "nobody"),
        config="defaults: {userDisplayName: nobody}\n",
    ),
    text_case(
        "declared-constant.csv",
        "`defaults:` stands for a column that the file lacks.",
        delimited(cells(1), cells(2)),
        valid={2: body(1, {USER: "nobody"}), 3: body(2, {USER: "nobody"})},
        found=(info(None, Code.DECLARED_VALUE, USER),),
        config="defaults: {userDisplayName: nobody}\n",
    ),
    text_case(
        "declared-template.csv",
        "A template makes the issuer of two columns; where one of them is empty, so is the value.",
        delimited(cells(1, {"Issuer": "CN=Contoso", "CA": "CA 1"}), cells(2, {"Issuer": "CN=Contoso", "CA": ""})),
        valid={2: body(1, {ISSUER: "CN=Contoso (CA 1)"}), 3: body(2)},
        found=(info(None, Code.DECLARED_VALUE, ISSUER),),
        config=ISSUER_TEMPLATE,
    ),
    text_case(
        "declared-template-and-column.csv",
        "A column and a template say what the issuer is.",
        delimited(cells(1, {"Issuer": "CN=Contoso", "CA": "CA 1", ISSUER: "CN=Contoso"})),
        invalid=(2,),
        found=(error(None, Code.DUPLICATE_COLUMN, ISSUER),),
        config=ISSUER_TEMPLATE,
    ),
    text_case(
        "declared-alias.csv",
        "`columns:` gives another header to a property.",
        delimited(
            {"devicePlatform": "iOS", "Gerät": "PHONE-0001", THUMBPRINT: THUMBPRINTS[1], SERIAL: "4A00C1"},
        ),
        valid={2: body(1)},
        config=f"columns: {{{DEVICE}: [Gerät]}}\n",
    ),
)

GROUPS = (
    Group("Thumbprints", THUMBPRINT_CASES),
    Group("Serial numbers", SERIAL_CASES),
    Group("Key lengths", NUMBER_CASES),
    Group("Key usages", WORD_CASES),
    Group("Platforms", PLATFORM_CASES),
    Group("Free text and addresses", TEXT_CASES),
    Group("What config.yaml declares", DECLARED_CASES),
)
