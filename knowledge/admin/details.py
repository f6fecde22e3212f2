"""The form of what is written about a document; its words are not in it."""

from __future__ import annotations

from copy import copy
from typing import Any, ClassVar

from django import forms

from knowledge.models import Document
from knowledge.review import DETAILS

_HELP = {
    "title": "Stands above every passage and in every citation.",
    "licence": "What allows Jeevo to quote it.",
    "language": "A code such as en, hi or es. Questions are answered from documents in their language.",
    "audience": "For whom it was written, such as public or clinicians.",
    "topic": "One or two words. The coverage page counts by topic.",
}


class Day(forms.DateInput):
    """The browser's own calendar."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


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

    @property
    def changes(self) -> dict[str, Any]:
        """What this person changed, so that somebody else's change of another field is kept."""
        return {name: self.cleaned_data[name] for name in self.changed_data}
