"""Dataverse's language codes (LCID) for locale names. Source: Microsoft, "Supported languages" of Dataverse."""

from functools import lru_cache
from typing import Final

_BY_LANGUAGE: Final = {
    "ar": 1025,
    "bg": 1026,
    "ca": 1027,
    "cs": 1029,
    "da": 1030,
    "de": 1031,
    "el": 1032,
    "en": 1033,
    "es": 3082,
    "et": 1061,
    "eu": 1069,
    "fi": 1035,
    "fr": 1036,
    "gl": 1110,
    "he": 1037,
    "hi": 1081,
    "hr": 1050,
    "hu": 1038,
    "id": 1057,
    "it": 1040,
    "ja": 1041,
    "kk": 1087,
    "ko": 1042,
    "lt": 1063,
    "lv": 1062,
    "ms": 1086,
    "nb": 1044,
    "nl": 1043,
    "no": 1044,
    "pl": 1045,
    "pt": 1046,
    "ro": 1048,
    "ru": 1049,
    "sk": 1051,
    "sl": 1060,
    "sr": 9242,
    "sv": 1053,
    "th": 1054,
    "tr": 1055,
    "uk": 1058,
    "vi": 1066,
    "zh": 2052,
}
_BY_LOCALE: Final = {"pt-pt": 2070, "zh-tw": 1028, "zh-hk": 3076, "zh-hant": 1028}


@lru_cache(maxsize=256)
def language_code(locale: str) -> int:
    """The LCID of a locale's language (`de-AT` -> 1031); English for an unknown one."""
    name = locale.replace("_", "-").casefold()
    return _BY_LOCALE.get(name) or _BY_LANGUAGE.get(name.partition("-")[0], 1033)
