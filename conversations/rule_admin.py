"""Rules of triage in the console: a clinician adds to them, tries a message, and reads the built-in ones.

A rule is saved only when every example holds (`rule_check`); it is switched off and never deleted.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from simple_history.admin import SimpleHistoryAdmin

from conversations import own_rules, rule_check, rulebook
from conversations.models import InboundMessage, TriageRule
from conversations.rule_check import Example
from conversations.rulebook import Level
from conversations.triage import Triage, triage

TRIED_ON = 300
LONGEST_TRIAL = 4096
NAMES = {
    "en": "English", "hi": "Hindi", "bn": "Bengali", "ta": "Tamil", "te": "Telugu", "mr": "Marathi", "gu": "Gujarati",
    "kn": "Kannada", "ml": "Malayalam", "pa": "Punjabi", "es": "Spanish", "sw": "Swahili",
}  # fmt: skip
HELP = {
    "language": "",
    "concept": "What is recognised, as in heart_attack. A sign that the built-in rules know gets its own first-aid lines.",
    "level": (
        "Emergency: the number to call, at once. Self-harm: kind words and a helpline. Unsafe: a request that is declined."
        " Urgent: see a doctor today."
    ),
    "patterns": (
        "One on a line. &lt;chest&gt; .. &lt;pain&gt; is a word of one set and then, at most three words later, one of another."
        " The page of the built-in rules explains the signs and lists the sets."
    ),
    "unless": "One on a line: words that hide the sign, as in “chest exercise”.",
    "switched_off": "Built-in rules that no longer hold in this language, one on a line, as in en.heart_attack.4.",
    "fires": "Messages that must be found, one on a line, in words of your own. Never copy a patient's words.",
    "quiet": "Messages that must stay quiet, one on a line: the sign denied, long past, or asked about in general.",
    "source": "The address of the guideline this follows.",
    "reason": "Why it is needed; the next clinician reads this.",
    "active": "Off: kept for later and not read.",
}


def named(language: str) -> str:
    name, _, letters = language.partition("_")
    return NAMES.get(name, name) + (" in Latin letters" if letters else "")


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    source = forms.URLField(
        assume_scheme="https", max_length=500, help_text=HELP["source"], widget=forms.URLInput(attrs={"class": "vTextField"})
    )

    class Meta:
        model = TriageRule
        fields = tuple(HELP)
        widgets = {name: forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField short"}) for name, rows in
                   {"patterns": 5, "unless": 2, "switched_off": 2, "fires": 4, "quiet": 4, "reason": 2}.items()}  # fmt: skip
        help_texts = HELP
        labels = {"fires": "Must be found", "quiet": "Must stay quiet", "switched_off": "Built-in rules to switch off"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        files = sorted(rulebook.read_files(), key=lambda name: (name not in rulebook.COMMON, named(name)))
        self.fields["language"] = forms.ChoiceField(choices=[(name, named(name)) for name in files])

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        rule = TriageRule(**{"pk": self.instance.pk, **{name: cleaned[name] for name in HELP}})
        beside = TriageRule.objects.filter(active=True).exclude(pk=rule.pk)
        if rule.active:
            found = rule_check.problems(
                own_rules.as_added(rule),
                fires=own_rules.lines(rule.fires),
                quiet=own_rules.lines(rule.quiet),
                others=[own_rules.as_added(each) for each in beside],
                kept=[example for each in beside for example in _examples(each)],
            )
            for problem in found:
                self.add_error(problem.field, problem.text)
        return cleaned


def _examples(row: TriageRule) -> list[Example]:
    told = (("fires", row.fires, True), ("quiet", row.quiet, False))
    return [Example(text, row.concept, Level(row.level), fires) for _, texts, fires in told for text in own_rules.lines(texts)]


class TriageRuleAdmin(SimpleHistoryAdmin):
    form = RuleForm
    list_display = ("__str__", "level", "active", "updated_at", "created_by")
    list_filter = ("active", "level", "language")
    search_fields = ("concept", "patterns", "reason")
    search_help_text = "A sign, a word of a pattern, or a reason."
    show_facets = admin.ShowFacets.ALWAYS
    list_per_page = 50
    actions = None
    change_list_template = "admin/conversations/triagerule/change_list.html"

    class Media:
        css = {"all": ["jeevo/rules.css"]}

    empty_state = "No rule has been added here. The built-in ones hold; add one when a message was missed or alarmed for nothing."

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Switched off, never deleted: what a message was decided by stays explained."""
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """`?rule=en.stroke.2` from the page of the built-in rules: the sign, its level and its source."""
        language, _, rest = request.GET.get("rule", "").partition(".")
        data = rulebook.read_files().get(language, {"concepts": []})
        row = next((row for row in data["concepts"] if row["id"] == rest.split(".")[0]), None)
        return {"language": language, "concept": row["id"], "level": row["level"], "source": row["source"]} if row else {}

    def save_model(self, request: HttpRequest, obj: TriageRule, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)  # type: ignore[no-untyped-call]
        self.message_user(request, _would_have_changed(), messages.INFO)

    def get_urls(self) -> list[URLPattern]:
        return [path("tree/", self.admin_site.admin_view(self.tree), name="conversations_triagerule_tree"), *self._usual_urls()]

    def _usual_urls(self) -> list[URLPattern]:
        usual: list[URLPattern] = super().get_urls()  # type: ignore[no-untyped-call]
        return usual

    def tree(self, request: HttpRequest) -> HttpResponse:
        """The built-in rules by language, and a message to try. The message is posted, so that no log holds it."""
        if not self.has_view_permission(request):  # type: ignore[no-untyped-call]
            raise PermissionDenied
        files = rulebook.read_files()
        language = request.GET.get("language", "en")
        language = language if language in files else "en"
        tried = request.POST.get("message", "").strip()[:LONGEST_TRIAL]
        context = {
            **self.admin_site.each_context(request),
            "title": "Built-in rules",
            "opts": self.opts,
            "languages": sorted(((name, named(name)) for name in files), key=lambda each: each[1]),
            "language": language,
            "status": files[language]["status"],
            "signs": [_sign(language, row) for row in files[language]["concepts"]],
            "sets": sorted(files[language]["sets"].items()),
            "tried": tried,
            **(_tried(tried) if tried else {}),
            "may_add": self.has_add_permission(request),
            "add": reverse("admin:conversations_triagerule_add"),
        }
        return render(request, "admin/conversations/triagerule/tree.html", context)


def _tried(text: str) -> dict[str, Any]:
    found = triage(text, books=own_rules.books())
    return {"found": found, "found_level": _spoken(found.level).capitalize(), "found_sign": found.concept.replace("_", " ")}


def _spoken(level: str) -> str:
    return level.replace("_", "-")


def _sign(language: str, row: dict[str, Any]) -> dict[str, Any]:
    numbered = [(f"{language}.{row['id']}.{i}", text) for i, text in enumerate(row["patterns"], 1)]
    return {**row, "name": row["id"].replace("_", " "), "level_name": _spoken(row["level"]), "numbered": numbered}


def _would_have_changed() -> str:
    """On the last messages that people sent: numbers only."""
    rows = InboundMessage.objects.exclude(triage_level="").defer("payload").order_by("-received_at")[:TRIED_ON]
    texts = [(row.triage_level, row.text) for row in rows if row.is_readable and row.text]
    if not texts:
        return "Every message is read with this from now on. Nobody has written yet, so there is nothing to compare with."
    books = own_rules.books()
    now = [triage(text, books=books) for _, text in texts]
    raised = sum(_rank(found) > Level(level).severity for (level, _), found in zip(texts, now, strict=True))
    lowered = sum(_rank(found) < Level(level).severity for (level, _), found in zip(texts, now, strict=True))
    return (
        f"Every message is read with this from now on. Read alone, {raised} of the last {len(texts)} messages would be at a"
        f" higher level with today's rules and {lowered} at a lower one."
    )


def _rank(found: Triage) -> int:
    return found.level.severity
