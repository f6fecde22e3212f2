"""Which language a message is in, and the plain form of its words that rules are matched against.

Script decides first; Latin letters are told apart by small lists of everyday words, and short greetings
stay with the default. `plain` keeps the vowel signs that Python's `\\w` drops and folds what people type in
several ways (nukta, chandrabindu, long and short i and u); `Lexicon` forgives one slip in a long word.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e007f]"
)
MARKS = re.compile("[\u0300-\u036f\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u093c\u09bc\u0a3c]")
QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "′": "'", "＇": "'"})
# The nasal signs go entirely: साँस, सांस and सास are one word to a frightened typist.
DEVANAGARI = str.maketrans({"\u0901": None, "\u0902": None, "ी": "ि", "ू": "ु", "ई": "इ", "ऊ": "उ"})
HALF_NASAL = re.compile("[नम]्(?=[क-घच-झट-ढत-धप-भ])")
LOOKALIKES = str.maketrans("аеорсухіјѕԁһԛԝкмтвнаοαερικνυτχ", "aeopcyxijsdhqwkmtbhaoaepiknytx")
MIXED_WORD = re.compile(r"[^\W\d_]*(?:[a-z][\u0370-\u052f]|[\u0370-\u052f][a-z])[^\W\d_]*")
LEET = str.maketrans("013457@$", "oieastas")
LEET_INSIDE = re.compile(r"(?<=[a-z])[013457@$](?=[a-z])")
TOKEN = re.compile(r"\d+(?:\.\d+)?|(?:[^\W\d_]|[\u0900-\u0963\u0971-\u0dff\u064b-\u0652])+|[.!?;\n।,:()–—]")
LONG_RUN = re.compile(r"([^\W\d_])\1{2,}")

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


def plain(text: str) -> str:
    """Lower case, visible, unaccented: the spelling in which rules and messages are compared."""
    text = unicodedata.normalize("NFKD", INVISIBLE.sub("", text).translate(QUOTES)).casefold()
    text = unicodedata.normalize("NFC", MARKS.sub("", text))
    if not text.isascii():
        text = HALF_NASAL.sub("", text.translate(DEVANAGARI))
        text = MIXED_WORD.sub(lambda found: found.group().translate(LOOKALIKES), text)
    text = re.sub(r"'s\b", "", text).replace("'", "")
    return LEET_INSIDE.sub(lambda found: found.group().translate(LEET), text)


def tokens(text: str) -> list[str]:
    """Words, numbers and the signs that end a clause or a sentence."""
    return TOKEN.findall(plain(text))


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


Chunk = tuple[tuple[str, int], ...]  # element, and how many words may stand before it
GAPS = {"..": 3, "...": 6}


@dataclass(frozen=True)
class Pattern:
    rule: str
    groups: tuple[tuple[Chunk, ...], ...]
    needed: frozenset[str]


@dataclass
class Lexicon:
    """From a word to the elements (word sets) of the rules, forgiving one slip in a long word."""

    exact: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    prefixes: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = field(default_factory=lambda: defaultdict(list))
    ranges: list[tuple[float, float, tuple[str, ...], str]] = field(default_factory=list)
    numbers: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    slips: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    resolved: dict[str, str] = field(default_factory=dict)

    def define(self, element: str, members: Sequence[str]) -> None:
        if element not in self.defined:
            self.defined.add(element)
            for member in members:
                self.add(member, element)

    def pattern(self, text: str, rule: str, sets: dict[str, list[str]]) -> Pattern:
        groups = tuple(tuple(self.chunk(chunk.split(), rule, sets) for chunk in group.split("+")) for group in text.split("&"))
        needed = frozenset(element for group in groups for chunk in group for element, _ in chunk)
        return Pattern(rule, groups, needed)

    def chunk(self, items: list[str], rule: str, sets: dict[str, list[str]]) -> Chunk:
        chunk, gap = [], 0
        for item in items:
            if item in GAPS:
                gap = GAPS[item]
                continue
            element = f"{rule.split('.')[0]}:{item}"
            parts = item.split("|")
            members = (sets[part[1:-1]] if part.startswith("<") else [part.replace("_", " ")] for part in parts)
            self.define(element, [member for few in members for member in few])
            chunk.append((element, gap))
            gap = 0
        return tuple(chunk)

    def add(self, member: str, element: str) -> None:
        if member.endswith("*"):
            stem = plain(member[:-1])
            self.prefixes[stem[:3]].append((stem, element))
            return
        first, _, rest = member.partition(" ")
        if first.startswith("#"):
            low, high = first[1:].split("-")
            self.ranges.append((float(low), float(high), self.learn(rest), element))
            return
        words = self.learn(member)
        if len(words) == 1:
            self.exact[words[0]].add(element)
        else:
            self.phrases[words[0]].append((words, element))

    def learn(self, text: str) -> tuple[str, ...]:
        words = tuple(self.numbers.get(word, word) for word in tokens(text))
        self.known.update(words)
        for word in words:
            if len(word) >= 6 and word.isascii():
                for shorter in deletions(word):
                    self.slips[shorter].add(word)
        return words

    def at(self, words: Sequence[str], i: int) -> Iterator[tuple[str, int]]:
        """The elements that begin at word `i`, each with the place where it ends."""
        for element in self.elements(words[i]):
            yield element, i + 1
        for phrase, element in self.phrases.get(words[i], ()):
            if tuple(words[i : i + len(phrase)]) == phrase:
                yield element, i + len(phrase)
        if words[i][0].isdigit() and len(words[i]) < 9:
            for low, high, rest, element in self.ranges:
                end = i + 1 + len(rest)
                if low <= float(words[i]) <= high and tuple(words[i + 1 : end]) == rest:
                    yield element, end

    def resolve(self, word: str) -> str:
        found = self.resolved.get(word)
        if found is None:
            found = self.numbers.get(word) or self.spell(word)
            if len(self.resolved) < 50_000:  # a bound on what strangers can make us remember
                self.resolved[word] = found
        return found

    def spell(self, word: str) -> str:
        if word in self.known or word[0].isdigit():
            return word
        for squeezed in (LONG_RUN.sub(r"\1\1", word), LONG_RUN.sub(r"\1", word)):
            if squeezed in self.known:
                return squeezed
        word = squeezed
        if len(word) < 5 or not word.isascii() or self.elements(word):
            return word
        near = {known for shorter in deletions(word) for known in self.slips.get(shorter, ())}
        close = sorted(known for known in near if known[0] == word[0] and one_slip(word, known))
        return close[0] if close else word

    def elements(self, word: str) -> set[str]:
        found = set(self.exact.get(word, ()))
        found.update(element for stem, element in self.prefixes.get(word[:3], ()) if word.startswith(stem))
        return found


def deletions(word: str) -> set[str]:
    return {word} | {word[:i] + word[i + 1 :] for i in range(len(word))}


def one_slip(one: str, other: str) -> bool:
    """At most one letter added, lost, changed or swapped with its neighbour."""
    shorter = min(len(one), len(other))
    start = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
