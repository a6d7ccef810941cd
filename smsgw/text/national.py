"""The national language shift tables of 3GPP TS 23.038 Annex A: Turkish, Spanish and Portuguese.

A user data header names them (TS 23.040 §9.2.3.24.15 and 16): a locking shift table takes the place of the default
alphabet, a single shift table that of its extension table. Languages whose tables are not here are read by the tables
that they would replace, as §6.2.1.2.4 asks of a receiver.
"""

from typing import Final

TURKISH: Final = 1
SPANISH: Final = 2
PORTUGUESE: Final = 3

# Annex A.3, in the order of the codes; "\x1b" stands where the escape is. Spanish has none of its own.
LOCKING: Final[dict[int, str]] = {
    TURKISH: (
        "@£$¥€éùıòÇ\nĞğ\rÅå"
        "Δ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ"
        " !\"#¤%&'()*+,-./"
        "0123456789:;<=>?"
        "İABCDEFGHIJKLMNO"
        "PQRSTUVWXYZÄÖÑÜ§"
        "çabcdefghijklmno"
        "pqrstuvwxyzäöñüà"
    ),
    PORTUGUESE: (
        "@£$¥êéúíóç\nÔô\rÁá"
        "Δ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ"
        " !\"#º%&'()*+,-./"
        "0123456789:;<=>?"
        "ÍABCDEFGHIJKLMNO"
        "PQRSTUVWXYZÃÕÚÜ§"
        "~abcdefghijklmno"
        "pqrstuvwxyzãõ`üà"
    ),
}

# Annex A.2: {code behind the escape: character}. Each holds what the default extension table holds too.
SINGLE: Final[dict[int, dict[int, str]]] = {
    TURKISH: {
        0x47: "Ğ",
        0x49: "İ",
        0x53: "Ş",
        0x63: "ç",
        0x67: "ğ",
        0x69: "\N{LATIN SMALL LETTER DOTLESS I}",
        0x73: "ş",
    },
    SPANISH: {
        0x09: "ç",
        0x41: "Á",
        0x49: "Í",
        0x4F: "Ó",
        0x55: "Ú",
        0x61: "á",
        0x69: "í",
        0x6F: "ó",
        0x75: "ú",
    },
    PORTUGUESE: {
        0x05: "ê",
        0x09: "ç",
        0x0B: "Ô",
        0x0C: "ô",
        0x0E: "Á",
        0x0F: "á",
        0x12: "Φ",
        0x13: "Γ",
        0x15: "Ω",
        0x16: "Π",
        0x17: "Ψ",
        0x18: "Σ",
        0x19: "Θ",
        0x1F: "Ê",
        0x41: "À",
        0x49: "Í",
        0x4F: "Ó",
        0x55: "Ú",
        0x5B: "Ã",
        0x5C: "Õ",
        0x61: "Â",
        0x69: "í",
        0x6F: "ó",
        0x75: "ú",
        0x7B: "ã",
        0x7C: "õ",
        0x7F: "â",
    },
}
