"""What is asked for when files are brought: the files, and what holds for all of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms

from knowledge import import_fields, import_language
from knowledge.import_fields import Defaults
from knowledge.models import Document, UnansweredQuestion

# The browser's file chooser shows these first; what counts is the content.
ACCEPTED = ".pdf,.docx,.html,.htm,.md,.markdown,.txt,.csv,.tsv,.zip,.jsonl,.gz,.xml"

AUDIENCES = (import_fields.PUBLIC, "staff")


class FilesInput(forms.FileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or more files; an empty one is let through, because its result says what to do."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> Any:
        files = data if isinstance(data, list | tuple) else [data]
        if not [each for each in files if each]:
            raise forms.ValidationError("Choose at least one file.")
        return [super(FilesField, self).clean(each, initial) for each in files]


class AudienceField(forms.ChoiceField):
    """Written in whatever letters, and public where nothing was chosen."""

    def to_python(self, value: Any) -> str:
        return import_fields.audience(super().to_python(value))


class ImportForm(forms.Form):
    documents = FilesField(
        label="Files",
        allow_empty_file=True,
        max_length=500,
        widget=FilesInput(attrs={"accept": ACCEPTED}),
        error_messages={"required": "Choose at least one file."},
    )
    publisher = forms.CharField(required=False, max_length=200, help_text="Who wrote it, as it will be cited: WHO, for example.")
    url = forms.URLField(
        label="Address",
        required=False,
        max_length=1000,
        assume_scheme="https",
        help_text="Where people can read the original. It is cited with every answer.",
        widget=forms.URLInput(attrs={"inputmode": "url"}),
    )
    language = forms.ChoiceField(
        choices=list(import_language.LANGUAGES.items()), initial="en", help_text="Used where a file does not say its own."
    )
    topic = forms.CharField(required=False, max_length=80, help_text="For the plot of topics: fever, pregnancy.")
    audience = AudienceField(
        required=False,
        choices=[(each, each) for each in AUDIENCES],
        initial=import_fields.PUBLIC,
        help_text="Public unless it is for staff only.",
    )
    licence = forms.CharField(required=False, max_length=100, help_text="Under which terms it may be used: CC BY 4.0.")
    supersedes = forms.UUIDField(required=False, widget=forms.HiddenInput)
    answers = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offer_audience_of(key(str(self["supersedes"].value() or "")))

    def _offer_audience_of(self, replaced: UUID | None) -> None:
        """A new version stays for those its old one was for, also where that is neither of the two."""
        said = Document.objects.filter(pk=replaced).values_list("audience", flat=True).first() if replaced else None
        if said is None:
            return
        kept = self.initial["audience"] = import_fields.audience(said)
        offered = dict.fromkeys((*AUDIENCES, kept))
        self.fields["audience"].choices = [(each, each) for each in offered]  # type: ignore[attr-defined]

    def clean_supersedes(self) -> Document | None:
        key = self.cleaned_data["supersedes"]
        found = Document.objects.defer("text").filter(pk=key).first() if key else None
        if key and found is None:
            raise forms.ValidationError("The document that this replaces is not here any more.")
        return found

    def clean_answers(self) -> tuple[str, ...]:
        return tuple(str(key) for key in known_questions(self.cleaned_data["answers"]))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("supersedes") and len(values.get("documents") or ()) > 1:
            self.add_error("documents", "A new version of a document is one file.")
        return values

    def defaults(self) -> Defaults:
        """What was said, for the import."""
        values = {name: self.cleaned_data[name] for name in ("publisher", "licence", "language", "topic", "url", "audience")}
        replaced: Document | None = self.cleaned_data["supersedes"]
        return Defaults(
            **values,
            supersedes=str(replaced.pk) if replaced else "",
            answers=self.cleaned_data["answers"],
        )


def known_questions(keys: str) -> list[UUID]:
    """Those of the comma-separated keys that are questions here."""
    return list(UnansweredQuestion.objects.filter(pk__in=_keys(keys)[:500]).values_list("pk", flat=True))


def key(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _keys(text: str) -> list[UUID]:
    return [found for each in text.split(",") if (found := key(each))]
