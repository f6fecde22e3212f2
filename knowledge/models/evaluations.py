"""How well retrieval finds, measured on questions with known answers, and kept to compare with."""

from __future__ import annotations

from django.db import models

from jeevo.ids import new_id


class EvaluationRun(models.Model):
    """One run of `manage.py evaluate_retrieval`, or of the golden questions."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=20, default="retrieval")
    # The data's folder name, the hash of what was read from it, and the model and version that were measured.
    data = models.CharField(max_length=200)
    data_hash = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=300)
    version = models.CharField(max_length=40, blank=True)
    settings = models.JSONField(default=dict, blank=True)
    passages = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "id")
        indexes = [
            # The runs of one kind over time, for the plot and for the run before.
            models.Index(fields=["kind", "-created_at"], name="evaluation_over_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.created_at:%Y-%m-%d %H:%M}"


class EvaluationFigure(models.Model):
    """One figure with its 95 % interval: a set of questions, a system (fused, dense, text), a metric."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="figures")
    dataset = models.CharField(max_length=40)
    system = models.CharField(max_length=20)
    metric = models.CharField(max_length=30)
    value = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    count = models.PositiveIntegerField()

    class Meta:
        ordering = ("dataset", "system", "metric")
        constraints = [models.UniqueConstraint(fields=["run", "dataset", "system", "metric"], name="evaluation_figure_once")]

    def __str__(self) -> str:
        return f"{self.dataset} {self.system} {self.metric}"


class EvaluationQuestion(models.Model):
    """How one question did, so that those that got worse can be named."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="questions")
    dataset = models.CharField(max_length=40)
    # The question's own key in its data, and its words: public data or a clinician's golden question, never a patient's.
    key = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    # The set's main metric for the fused system, from 0 to 1, and the place of the first right document (null: not found).
    score = models.FloatField()
    rank = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("dataset", "key")
        constraints = [models.UniqueConstraint(fields=["run", "dataset", "key"], name="evaluation_question_once")]

    def __str__(self) -> str:
        return f"{self.dataset} {self.key}"
