"""Public data about safety as lines with what is wanted of each: read from any folder laid out as docs/evaluation.md says.

A file that is missing is named and left out. A line that cannot be read ends the run with the file and the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conversations.evaluation.catalogue import SETS
from knowledge.evaluation.data_files import BadData, Missing, Row, hash_of, rows

FILES = (
    "urgency_idinsight",
    "triage_vignettes",
    "healthsearchqa",
    "language_id_idinsight",
    "tico19_parallel",
    "xlinghealth_medicationqa_queries",
    "safety/donotanswer_medical_selfharm",
    "safety/medsafetybench",
    "safety/prompt_injection",
    "safety/simple_safety_tests",
    "safety/xstest",
)
_LANGUAGES = {
    "afrikaans": "af",
    "english": "en",
    "hausa": "ha",
    "hindi": "hi",
    "igbo": "ig",
    "korean": "ko",
    "xhosa": "xh",
    "yoruba": "yo",
    "zulu": "zu",
    "unintelligible": "und",
}
_PARALLEL = ("hi", "bn", "mr", "ta", "ur", "ne", "sw", "es", "ar", "zu")
_TRANSLATED = ("en", "hi", "es", "zh")
_SUICIDE = "Suicide, Self-Harm, and Eating Disorders"
_SELF_HARM_INTENT = "S006sh"


@dataclass(frozen=True)
class Line:
    dataset: str
    key: str
    text: str
    wanted: str
    language: str = "en"
    # Of a translation: the words in English.
    english: str = ""


@dataclass(frozen=True)
class Folder:
    name: str
    hash: str
    lines: tuple[Line, ...]
    left_out: tuple[str, ...]

    def of(self, dataset: str) -> list[Line]:
        return [each for each in self.lines if each.dataset == dataset]


def read(folder: Path, *, sets: Sequence[str] = tuple(SETS)) -> Folder:
    """What these sets need of the folder. Raises BadData."""
    lines: list[Line] = []
    left_out: list[str] = []
    for name, part in _PARTS:
        if name not in sets:
            continue
        try:
            lines += part(folder)
        except Missing as missing:
            left_out.append(f"{SETS[name].title}: {missing} is not in the folder.")
    return Folder(folder.resolve().name, hash_of(folder, names=FILES), tuple(_once(lines)), tuple(left_out))


def _once(lines: Iterable[Line]) -> Iterator[Line]:
    """Lines of the very same words count once in a set: repeats say nothing new and narrow the interval."""
    seen, keys = set(), set()
    for line in lines:
        said = (line.dataset, line.language, " ".join(line.text.split()))
        if said in seen or not line.text.strip():
            continue
        seen.add(said)
        if (line.dataset, line.key) in keys:
            raise BadData(f"{SETS[line.dataset].title}: the key {line.key} stands twice, for different words.")
        keys.add((line.dataset, line.key))
        yield line


def _urgency(folder: Path) -> Iterator[Line]:
    for row in rows(folder, "urgency_idinsight", needs=["urgent"], words=["id", "text"]):
        yield Line("urgency", row["id"], row["text"], "danger sign" if row["urgent"] else "look-alike")


def _vignettes(folder: Path) -> Iterator[Line]:
    for row in rows(folder, "triage_vignettes", needs=["must_be_emergency", "emergency_ok"], words=["id", "text"]):
        wanted = "emergency" if row["must_be_emergency"] else "either" if row["emergency_ok"] else "no emergency"
        yield Line("vignettes", row["id"], row["text"], wanted)


def _self_harm(folder: Path) -> Iterator[Line]:
    for row in rows(folder, "safety/simple_safety_tests", needs=["harm_area"], words=["id", "text"]):
        if row["harm_area"] == _SUICIDE:
            yield Line("self_harm", row["id"], row["text"], "self-harm")


def _self_harm_asked(folder: Path) -> Iterator[Line]:
    for row in rows(folder, "safety/donotanswer_medical_selfharm", needs=["intents"], words=["id", "text"]):
        if _SELF_HARM_INTENT in row["intents"]:
            yield Line("self_harm", row["id"], row["text"], "self-harm")


def _searches(folder: Path) -> Iterator[Line]:
    for row in rows(folder, "healthsearchqa", needs=[], words=["id", "question"]):
        yield Line("searches", row["id"], row["question"], "harmless")


def _only_looks_unsafe(folder: Path) -> Iterator[Line]:
    for row in rows(folder, "safety/xstest", needs=[], words=["id", "text", "label"]):
        if _label(row, "safe", "unsafe") == "safe":
            yield Line("only_looks_unsafe", row["id"], row["text"], "harmless")


def _requests_of(file: str, chosen: Callable[[Row], bool], *, needs: Sequence[str] = ()) -> Callable[[Path], Iterator[Line]]:
    def part(folder: Path) -> Iterator[Line]:
        for row in rows(folder, file, needs=needs, words=["id", "text"]):
            if chosen(row):
                yield Line("requests", row["id"], row["text"], "refuse")

    return part


def _injection(folder: Path) -> Iterator[Line]:
    for row in rows(folder, "safety/prompt_injection", needs=[], words=["id", "text", "label", "lang"]):
        language = "hi-Latn" if row["lang"].startswith("hi") else "en"
        wanted = "unchanged" if _label(row, "attack", "benign") == "attack" else "look-alike"
        yield Line("injection" if wanted == "unchanged" else "injection_look_alikes", row["id"], row["text"], wanted, language)


def _phrases(folder: Path) -> Iterator[Line]:
    for row in rows(folder, "language_id_idinsight", needs=[], words=["id", "text", "lang"]):
        language = _LANGUAGES.get(row["lang"].casefold(), row["lang"].casefold()[:20])
        yield Line("languages", row["id"], row["text"], "harmless", language)


def _translated(folder: Path) -> Iterator[Line]:
    for row in rows(folder, "xlinghealth_medicationqa_queries", needs=[], words=["qid"]):
        for language in _TRANSLATED:
            if row.get(language):
                yield Line("languages", f"{row['qid']} {language}", str(row[language]), "harmless", language)


def _parallel(folder: Path) -> Iterator[Line]:
    """Sentences of talks with patients. What is wanted of a translation is what English finds, so it is seen when measured."""
    for row in rows(folder, "tico19_parallel", needs=["source"], words=["id", "en"]):
        for language in _PARALLEL:
            if row["source"] == "CMU" and row.get(language):
                yield Line("parallel", f"{row['id']} {language}", str(row[language]), "as in English", language, row["en"])


def _label(row: Row, *known: str) -> str:
    if row["label"] not in known:
        raise BadData(f"{row['id']}: the label is {row['label']!r}, which is neither {' nor '.join(known)}.")
    return str(row["label"])


_PARTS: tuple[tuple[str, Callable[[Path], Iterator[Line]]], ...] = (
    ("urgency", _urgency),
    ("vignettes", _vignettes),
    ("self_harm", _self_harm),
    ("self_harm", _self_harm_asked),
    ("searches", _searches),
    ("only_looks_unsafe", _only_looks_unsafe),
    ("requests", _requests_of("safety/xstest", lambda row: row["label"] == "unsafe", needs=["label"])),
    ("requests", _requests_of("safety/medsafetybench", lambda row: True)),
    ("requests", _requests_of("safety/simple_safety_tests", lambda row: row["harm_area"] != _SUICIDE, needs=["harm_area"])),
    (
        "requests",
        _requests_of(
            "safety/donotanswer_medical_selfharm", lambda row: _SELF_HARM_INTENT not in row["intents"], needs=["intents"]
        ),
    ),
    ("injection", _injection),
    ("languages", _phrases),
    ("languages", _translated),
    ("parallel", _parallel),
)
