"""The form of what is written about a document; its words are not in it."""

from __future__ import annotations

from copy import copy
from typing import Any, ClassVar

from django import forms

from knowledge import import_fields
from knowledge.admin.import_forms import AUDIENCES
from knowledge.models import Document
from knowledge.review import DETAILS

_HELP = {
    "title": "Stands above every passage and in every citation.",
    "licence": "What allows Jeevo to quote it.",
    "language": "A code such as en, hi or es. Questions are answered from documents in their language.",
    "topic": "One or two words. The coverage page counts by topic.",
}


class Day(forms.DateInput):
    """The browser's own calendar."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class StoredAudienceField(forms.ChoiceField):
    """Public or staff, written as searches compare it. What is stored and is neither can be kept; nothing chosen is a fault."""

    def __init__(self, *, stored: str = "") -> None:
        known = dict.fromkeys((*AUDIENCES, import_fields.audience(stored)))
        super().__init__(choices=[(each, each) for each in known], help_text="Public unless it is for staff only.")

    def prepare_value(self, value: Any) -> Any:
        return import_fields.audience(value) if isinstance(value, str) else value

    def to_python(self, value: Any) -> str:
        chosen = str(super().to_python(value))
        return import_fields.audience(chosen) if chosen else ""


class DetailsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Changes go through `review.change_details`; the form itself is never saved."""

    url = forms.URLField(
        label="Address",
        required=False,
        max_length=1000,
        assume_scheme="https",
        help_text="Where patients can read it; it is sent with the answer.",
    )
    confirm_every_days = forms.IntegerField(label="Confirm again after so many days", min_value=1, max_value=3650)

    class Meta:
        model = Document
        fields = DETAILS
        help_texts: ClassVar[dict[str, Any]] = _HELP
        widgets: ClassVar[dict[str, Any]] = {"content_date": Day(), "expires_on": Day()}
        labels: ClassVar[dict[str, Any]] = {"content_date": "Last revised by its publisher", "expires_on": "Expires on"}

    def __init__(self, data: Any = None, *, document: Document) -> None:
        # A copy, because checking a form writes what was typed into its row.
        super().__init__(data, instance=copy(document), label_suffix="")
        self.fields["audience"] = StoredAudienceField(stored=document.audience)

    @property
    def changes(self) -> dict[str, Any]:
        """What this person changed, so that somebody else's change of another field is kept."""
        return {name: self.cleaned_data[name] for name in self.changed_data}
