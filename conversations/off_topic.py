"""Questions that are clearly about something else than health. Pure, English.

Asked only after the library found nothing close, so that it never keeps an answer from anybody; where health may be meant
the honest "I do not know" stands.
"""

from __future__ import annotations

import re

_OTHER = re.compile(
    r"\b(weather|rain tomorrow|cricket|football|ipl|world cup|match score|movies?|films?|songs?|lyrics|actors?|actress|"
    r"bollywood|bitcoin|crypto\w*|stock (?:market|price)s?|share (?:market|price)s?|shares to buy|mutual funds?|"
    r"loans?|bank account|credit card|elections?|prime minister|president of|chief minister|parliament|"
    r"political part(?:y|ies)|capital (?:city )?of|homework|equations?|algebra|essay|poems?|"
    r"python (?:code|script|program)|javascript|write (?:me )?(?:a )?(?:code|program|script)|train tickets?|"
    r"flight tickets?|bus tickets?|book a (?:flight|train|hotel|table|cab)|hotels?|visa|passport|aadhaar|pan card|"
    r"lottery|horoscope|zodiac|astrology|jokes?|riddle|wifi|password|recharge|laptop|smartphone|instagram|facebook|"
    r"youtube|job (?:vacancy|vacancies|opening|interview)|salary|exam (?:date|result)s?|admission form|petrol price|"
    r"gold (?:price|rate))\b",
    re.IGNORECASE,
)
_HEALTH = re.compile(
    r"\b(health\w*|medic\w*|doctor\w*|hospital\w*|clinic\w*|nurs\w+|pain\w*|ache\w*|\w+ache|fever\w*|cough\w*|sick\w*|"
    r"ill|illness\w*|diseas\w*|symptom\w*|infect\w*|bleed\w*|blood|hurt\w*|injur\w*|wound\w*|burn\w*|rash\w*|itch\w*|"
    r"swell\w*|swollen|vomit\w*|nause\w*|diarrh\w*|pregnan\w*|periods?|bab(?:y|ies)|newborn\w*|breast\w*|diabet\w*|"
    r"cancer\w*|heart|lung\w*|kidney\w*|liver|stomach|head|chest|eyes?|ears?|throat|skin|teeth|tooth|back|legs?|"
    r"sleep\w*|insomnia|depress\w*|anxi\w*|stress\w*|suicid\w*|drugs?|tablets?|pills?|doses?|dosage|vaccin\w*|"
    r"inject\w*|treat\w*|cure\w*|therapy|diet|weight|vitamin\w*|allerg\w*|asthma|pressure|under the weather|feel\w*|"
    r"virus\w*|covid\w*|dengue|malaria|tb|hiv|snake\w*|poison\w*|dizz\w*|faint\w*|tired\w*|weak\w*|worr\w*|afraid|sad|"
    r"die|dying)\b",
    re.IGNORECASE,
)


def is_off_topic(question: str) -> bool:
    return bool(_OTHER.search(question)) and not _HEALTH.search(question)
