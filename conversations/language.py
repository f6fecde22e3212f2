"""Which language a message is in.

Script decides first; Latin letters are told apart by small lists of everyday words, and short greetings
stay with the default.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from conversations.wordforms import INVISIBLE

SCRIPTS = [
    (0x0900, 0x097F, "hi"),
    (0x0980, 0x09FF, "bn"),
    (0x0A00, 0x0A7F, "pa"),
    (0x0A80, 0x0AFF, "gu"),
    (0x0B80, 0x0BFF, "ta"),
    (0x0C00, 0x0C7F, "te"),
    (0x0C80, 0x0CFF, "kn"),
    (0x0D00, 0x0D7F, "ml"),
    (0x0600, 0x06FF, "ar"),
    (0x0750, 0x077F, "ar"),
    (0xFB50, 0xFDFF, "ar"),
    (0xFE70, 0xFEFC, "ar"),
]


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


MARATHI = word_set(
    "आहे आहेत नाही मला माझा माझी माझे माझ्या तुम्ही आम्ही काय कसे कसा कशी होते होतो आणि झाला झाली झाले "
    "आला आली पण मी त्याला तिला खूप दुखत दुखते करावे येत नको पाहिजे वर्षांचा बाळाला आईला वडिलांना"
)
# Letters Urdu writes and Arabic and Persian do not; its function words count too.
URDU_LETTERS = frozenset("ٹڈڑںےھۓ")
URDU_WORDS = word_set("ہے ہیں میں کو کا کی کے نہیں مجھے سے اور کیا میرے میری ہو رہا رہی")

HINDI_LATIN = word_set(
    "hai hain nahi nahin nhi mujhe mujhko mera meri mere mai mein ka ki ke ko kya kyu kyun kaise kab "
    "raha rahi rahe hua hui gaya gayi gaye bahut bohot aur bhi toh tha thi kar karo karu karna karein "
    "chahiye dard bukhar pet sir saans baccha bacche bachcha bachche beta beti maa papa pitaji dawa "
    "dawai din mahine saal ho hoon hu aap apka apko ye yeh woh wo unko unki uske uski usko abhi kal aaj "
    "khoon ulti dast khansi khana pani pita peeta se jab agar lekin par namaste batao bataye bataiye "
    "madad sakte sakta hone lag laga lagi gir behosh"
)
ENGLISH = word_set(
    "the a an is are was am i im my me you your he she his her it its we they and or but of to in on "
    "for with from at this that have has had do does did not no can cant what how why when where who "
    "which should could would will be been after before since pain fever help please about if so there "
    "any some get feel feeling baby child old days blood mother father doctor medicine water eat taking "
    "take hospital sick head stomach"
)
SPANISH = word_set(
    "el la los las un una de que y en es mi tu su con por para no me se lo le tengo tiene estoy esta "
    "está hace desde como cómo qué cuando cuándo dolor fiebre hijo hija bebe bebé años dias días muy "
    "mas más pero puedo debo siento cabeza mucho mucha ayuda gracias hola quiero niño niña madre padre "
    "sangre embarazada"
)
SWAHILI = word_set(
    "na ya wa kwa ni la za cha katika yangu wangu langu nina ana mimi yeye nini vipi gani je homa "
    "maumivu mtoto mama baba tumbo kichwa damu daktari dawa hawezi siwezi sana lakini leo jana siku "
    "miezi mwezi anahara anatapika nisaidie tafadhali habari asante nimekuwa amekuwa mjamzito kutoka "
    "bado kama hii hiyo"
)
# Everyday words of languages without texts: evidence for "und", never a guess between them.
OTHER_LATIN = word_set(
    "je suis mon ma mes est les des une avec pas mal pour depuis vous ich bin und nicht mein meine habe "
    "der die das ist mit seit eu minha meu não nao uma com dor tem muito filho sono mio mia ho il che "
    "ve bir ben benim var çok agrim ağrım saya sakit anak dan yang tidak demam ako ang ng mga sa tôi "
    "toi bị bi không khong của cua đau wan ina mo ni ti"
)
LATIN = [("en", ENGLISH), ("hi-Latn", HINDI_LATIN), ("es", SPANISH), ("sw", SWAHILI), ("und", OTHER_LATIN)]
WORD = re.compile(r"(?:[^\W\d_]|[\u0900-\u0963\u0971-\u0dff\u064b-\u0652])+")


def has_letters(text: str) -> bool:
    """False for an empty message, or one of emoji, digits and signs only."""
    return any(unicodedata.category(letter)[0] == "L" for letter in text)


def detect(text: str, *, default: str = "en") -> str:
    """A code such as "hi", "hi-Latn" or "en"; "und" when it is clearly something we have no texts for."""
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", text))
    scripts = Counter(script(letter) for letter in text if unicodedata.category(letter)[0] == "L")
    if not scripts:
        return default
    winner = max(scripts, key=lambda name: (scripts[name], name != "latin"))
    words = WORD.findall(text.casefold())
    if winner == "latin":
        return detect_latin(words, default)
    if winner == "hi":
        return "mr" if any(word in MARATHI for word in words) else "hi"
    if winner == "ar":
        return "ur" if any(word in URDU_WORDS or URDU_LETTERS & set(word) for word in words) else "und"
    return winner


def script(letter: str) -> str:
    point = ord(letter)
    for first, last, name in SCRIPTS:
        if first <= point <= last:
            return name
    return "latin" if point < 0x250 or 0x1E00 <= point <= 0x1EFF else "und"


def detect_latin(words: list[str], default: str) -> str:
    scores = {code: sum(word in known for word in words) for code, known in LATIN}
    best = max(scores, key=lambda code: (scores[code], code == default, code == "en"))
    rivals = max(score for code, score in scores.items() if code != best)
    if scores[best] == 0:
        return default
    if best == "und":
        return "und" if len(words) >= 4 and scores["und"] >= 2 and scores["en"] == 0 else default
    if best in (default, "en"):
        return best
    known = [word for word in words if word in dict(LATIN)[best]]
    # Particles such as "na" and "ya" live in many languages: one real word, and a fair share, must agree.
    clear = any(len(word) > 2 for word in known) and len(known) * 3 >= len(words) and len(known) > (len(words) > 3)
    enough = len(words) >= 3 or len(known) >= 2
    return best if clear and enough and scores[best] > rivals else default
