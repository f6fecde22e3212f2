# The life of a document, its import, embedding indexes, and evaluations; passages of the first release are carried over.

import django.contrib.postgres.search
import django.db.models.deletion
import jeevo.fields
import jeevo.ids
import pgvector.django.halfvec
import pgvector.django.sparsevec
import simple_history.models
from django.conf import settings
from django.db import migrations, models
from django.utils import timezone


BUNDLED = ("all-MiniLM-L6-v2", 384, 256)
# The words and weights as they were defined when this migration was written (knowledge/chunk_rows.py).
WORDS = """
UPDATE knowledge_chunk c SET search =
    setweight(to_tsvector(l.configuration, d.title), 'A') || setweight(to_tsvector(l.configuration, c.heading), 'B')
    || setweight(to_tsvector(l.configuration, c.text), 'C')
FROM knowledge_document d,
     LATERAL (SELECT coalesce((SELECT cfgname FROM pg_ts_config WHERE cfgname = (
         '{"en": "english", "hi": "hindi", "es": "spanish", "ta": "tamil", "ne": "nepali", "fr": "french"}'::jsonb
         ->> split_part(d.language, '-', 1))), 'simple')::regconfig AS configuration) l
WHERE d.id = c.document_id
"""
TERMS = """
INSERT INTO knowledge_term (lexeme, passages) SELECT word, ndoc FROM ts_stat('SELECT search FROM knowledge_chunk') ORDER BY word
"""
WEIGHTS = """
UPDATE knowledge_chunk w SET terms = (
    SELECT coalesce('{' || string_agg(t.id || ':' || round((f.often * 2.2 / (f.often + 1.2))::numeric, 4), ',') || '}/1000000000',
                    '{}/1000000000')::sparsevec
    FROM (SELECT 0.25 + 0.75 * count(*) / 60.0 AS norm
          FROM unnest(w.search) AS x, unnest(x.weights) AS p WHERE p NOT IN ('A', 'B')) AS l,
         unnest(w.search) AS u JOIN knowledge_term t ON t.lexeme = u.lexeme,
         LATERAL (SELECT sum(CASE p WHEN 'A' THEN 3.0 WHEN 'B' THEN 1.0 ELSE 1 / l.norm END)::float AS often
                  FROM unnest(u.weights) AS p) AS f)
"""


def carry_over(apps, schema_editor):
    Chunk, Index = apps.get_model("knowledge", "Chunk"), apps.get_model("knowledge", "EmbeddingIndex")
    wanted, known = settings.ENVIRONMENT.embedding_model, list(Chunk.objects.order_by().values_list("model", flat=True).distinct())
    # Until now every model had the same dimensions, because the column had them.
    names = known or ([wanted] if wanted == BUNDLED[0] else [])
    active = wanted if wanted in names else names[0] if names else None
    now = timezone.now()
    for name in names:
        made = Index.objects.create(
            model=name, dimensions=BUNDLED[1], window=BUNDLED[2], status="active" if name == active else "retired",
            activated_at=now, finished_at=now, counted=Chunk.objects.filter(model=name).count(), counted_at=now,
        )
        Chunk.objects.filter(model=name).update(index=made)
    if known:
        with schema_editor.connection.cursor() as cursor:
            for statement in (WORDS, TERMS, WEIGHTS):
                cursor.execute(statement)


def index_vectors(apps, schema_editor):
    """The HNSW index of the active model; `knowledge.embedding_indexes` makes those of later ones."""
    for made in apps.get_model("knowledge", "EmbeddingIndex").objects.filter(status="active"):
        schema_editor.execute(
            f"CREATE INDEX chunk_embedding_{made.pk.hex[-12:]} ON knowledge_chunk "
            f"USING hnsw ((embedding::halfvec({int(made.dimensions)})) halfvec_cosine_ops) "
            f"WITH (m = 16, ef_construction = 128) WHERE index_id = '{made.pk}'"
        )


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='EmbeddingIndex',
            fields=[
                ('id', models.UUIDField(default=jeevo.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('model', models.CharField(max_length=300)),
                ('dimensions', models.PositiveIntegerField()),
                ('window', models.PositiveIntegerField(default=256)),
                ('status', models.CharField(choices=[('building', 'Building'), ('paused', 'Paused'), ('active', 'Active'), ('retired', 'Retired'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='building', max_length=12)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('total', models.PositiveIntegerField(default=0)),
                ('done', models.PositiveIntegerField(default=0)),
                ('counted', models.PositiveIntegerField(default=0)),
                ('counted_at', models.DateTimeField(blank=True, null=True)),
                ('requested_by', models.CharField(blank=True, max_length=150)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('activated_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'verbose_name_plural': 'embedding indexes',
                'ordering': ('-created_at', 'id'),
            },
        ),
        migrations.CreateModel(
            name='EvaluationFigure',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('dataset', models.CharField(max_length=40)),
                ('system', models.CharField(max_length=20)),
                ('metric', models.CharField(max_length=30)),
                ('value', models.FloatField()),
                ('low', models.FloatField()),
                ('high', models.FloatField()),
                ('count', models.PositiveIntegerField()),
            ],
            options={
                'ordering': ('dataset', 'system', 'metric'),
            },
        ),
        migrations.CreateModel(
            name='EvaluationQuestion',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('dataset', models.CharField(max_length=40)),
                ('key', models.CharField(max_length=200)),
                ('text', models.TextField(blank=True)),
                ('score', models.FloatField()),
                ('rank', models.PositiveIntegerField(blank=True, null=True)),
            ],
            options={
                'ordering': ('dataset', 'key'),
            },
        ),
        migrations.CreateModel(
            name='EvaluationRun',
            fields=[
                ('id', models.UUIDField(default=jeevo.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(default='retrieval', max_length=20)),
                ('data', models.CharField(max_length=200)),
                ('data_hash', models.CharField(blank=True, max_length=64)),
                ('model', models.CharField(max_length=300)),
                ('version', models.CharField(blank=True, max_length=40)),
                ('settings', models.JSONField(blank=True, default=dict)),
                ('passages', models.PositiveIntegerField(default=0)),
                ('seconds', models.FloatField(default=0)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ('-created_at', 'id'),
            },
        ),
        migrations.CreateModel(
            name='GoldenQuestion',
            fields=[
                ('id', models.UUIDField(default=jeevo.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('text', models.CharField(max_length=500)),
                ('language', models.CharField(default='en', max_length=12)),
                ('note', models.CharField(blank=True, max_length=300)),
                ('active', models.BooleanField(default=True, help_text='Switch it off instead of deleting it, to keep its history.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ('text', 'id'),
            },
        ),
        migrations.CreateModel(
            name='HistoricalDocument',
            fields=[
                ('id', models.UUIDField(db_index=True, default=jeevo.ids.new_id, editable=False)),
                ('title', models.CharField(max_length=300)),
                ('publisher', models.CharField(blank=True, max_length=200)),
                ('url', models.URLField(blank=True, max_length=1000)),
                ('licence', models.CharField(blank=True, max_length=100)),
                ('language', models.CharField(default='en', max_length=12)),
                ('audience', models.CharField(default='public', max_length=40)),
                ('topic', models.CharField(blank=True, max_length=80)),
                ('origin', models.CharField(choices=[('starter', 'starter article'), ('upload', 'uploaded')], default='upload', max_length=12)),
                ('slug', models.CharField(blank=True, max_length=120)),
                ('key', models.CharField(blank=True, editable=False, max_length=200)),
                ('status', models.CharField(choices=[('uploaded', 'Uploaded'), ('indexing', 'Indexing'), ('in_review', 'In Review'), ('published', 'Published'), ('retired', 'Retired'), ('index_failed', 'Index Failed')], default='uploaded', max_length=16)),
                ('reason', models.CharField(blank=True, help_text='Why indexing failed.', max_length=300)),
                ('content_hash', models.CharField(editable=False, max_length=64)),
                ('file_name', models.CharField(blank=True, editable=False, max_length=300)),
                ('file_hash', models.CharField(blank=True, editable=False, max_length=64)),
                ('kind', models.CharField(default='markdown', editable=False, max_length=20)),
                ('pages', models.PositiveIntegerField(blank=True, editable=False, null=True)),
                ('content_date', models.DateField(blank=True, help_text='When its publisher last revised it.', null=True)),
                ('expires_on', models.DateField(blank=True, help_text='From this day it counts as stale.', null=True)),
                ('confirm_every_days', models.PositiveIntegerField(default=365, help_text='After how many days a clinician should confirm that it is still right.')),
                ('reviewed_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('confirmed_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('retired_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('indexed_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('created_at', models.DateTimeField(blank=True, editable=False)),
                ('updated_at', models.DateTimeField(blank=True, editable=False)),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical document',
                'verbose_name_plural': 'historical documents',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='Import',
            fields=[
                ('id', models.UUIDField(default=jeevo.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('label', models.CharField(max_length=200)),
                ('importer', models.CharField(default='auto', max_length=20)),
                ('defaults', models.JSONField(blank=True, default=dict)),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('finished', 'Finished'), ('cancelled', 'Cancelled'), ('failed', 'Failed')], default='waiting', max_length=12)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('cancel_requested_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ('-created_at', 'id'),
            },
        ),
        migrations.CreateModel(
            name='ImportItem',
            fields=[
                ('id', models.UUIDField(default=jeevo.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('position', models.PositiveIntegerField()),
                ('name', models.CharField(max_length=500)),
                ('file', models.FileField(blank=True, max_length=300, upload_to='imports/%Y/%m/')),
                ('path', models.CharField(blank=True, max_length=1000)),
                ('size', models.BigIntegerField(default=0)),
                ('file_hash', models.CharField(blank=True, max_length=64)),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('added', 'Added'), ('known', 'here already'), ('refused', 'Refused'), ('cancelled', 'Cancelled')], default='waiting', max_length=12)),
                ('reason', models.TextField(blank=True)),
                ('records', models.PositiveIntegerField(default=0)),
                ('added', models.PositiveIntegerField(default=0)),
                ('known', models.PositiveIntegerField(default=0)),
                ('bad', models.PositiveIntegerField(default=0)),
                ('problems', models.JSONField(blank=True, default=list)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ('position', 'id'),
            },
        ),
        migrations.CreateModel(
            name='Term',
            fields=[
                ('id', models.AutoField(primary_key=True, serialize=False)),
                ('lexeme', models.TextField(unique=True)),
                ('passages', models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Trial',
            fields=[
                ('id', models.UUIDField(default=jeevo.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('search', 'a question tried'), ('golden', 'golden questions'), ('ask', 'a question answered')], max_length=8)),
                ('asked', jeevo.fields.EncryptedJSONField()),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], default='waiting', max_length=8)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('result', jeevo.fields.EncryptedJSONField(blank=True, null=True)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ('-created_at', 'id'),
            },
        ),
        migrations.AlterModelOptions(
            name='document',
            options={'ordering': ('title', 'id'), 'permissions': [('publish_document', 'Can review, publish, confirm and retire documents')]},
        ),
        migrations.RemoveConstraint(
            model_name='chunk',
            name='chunk_position_once',
        ),
        migrations.RemoveIndex(
            model_name='chunk',
            name='chunk_embedding',
        ),
        migrations.AddField(
            model_name='chunk',
            name='terms',
            field=pgvector.django.sparsevec.SparseVectorField(null=True),
        ),
        migrations.AddField(
            model_name='document',
            name='confirm_every_days',
            field=models.PositiveIntegerField(default=365, help_text='After how many days a clinician should confirm that it is still right.'),
        ),
        migrations.AddField(
            model_name='document',
            name='confirmed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='document',
            name='confirmed_by',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='document',
            name='content_date',
            field=models.DateField(blank=True, help_text='When its publisher last revised it.', null=True),
        ),
        migrations.AddField(
            model_name='document',
            name='expires_on',
            field=models.DateField(blank=True, help_text='From this day it counts as stale.', null=True),
        ),
        migrations.AddField(
            model_name='document',
            name='file',
            field=models.FileField(blank=True, editable=False, max_length=300, upload_to='documents/%Y/%m/'),
        ),
        migrations.AddField(
            model_name='document',
            name='file_hash',
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='document',
            name='file_name',
            field=models.CharField(blank=True, editable=False, max_length=300),
        ),
        migrations.AddField(
            model_name='document',
            name='flags',
            field=models.JSONField(blank=True, default=list, editable=False),
        ),
        migrations.AddField(
            model_name='document',
            name='key',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name='document',
            name='kind',
            field=models.CharField(default='markdown', editable=False, max_length=20),
        ),
        migrations.AddField(
            model_name='document',
            name='pages',
            field=models.PositiveIntegerField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='document',
            name='retired_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='document',
            name='retired_by',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='document',
            name='supersedes',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='superseded_by', to='knowledge.document'),
        ),
        migrations.AddField(
            model_name='unansweredquestion',
            name='document',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='answers_questions', to='knowledge.document'),
        ),
        migrations.AddField(
            model_name='unansweredquestion',
            name='model',
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name='unansweredquestion',
            name='resolved_by',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='unansweredquestion',
            name='vector',
            field=jeevo.fields.EncryptedTextField(blank=True, default=''),
        ),
        migrations.AddConstraint(
            model_name='embeddingindex',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('status',), name='index_one_active'),
        ),
        migrations.AddConstraint(
            model_name='embeddingindex',
            constraint=models.UniqueConstraint(models.Value(1), condition=models.Q(('status__in', ['building', 'paused'])), name='index_one_in_the_making'),
        ),
        migrations.AddField(
            model_name='chunk',
            name='index',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='chunks', to='knowledge.embeddingindex'),
        ),
        migrations.AddIndex(
            model_name='evaluationrun',
            index=models.Index(fields=['kind', '-created_at'], name='evaluation_over_time'),
        ),
        migrations.AddField(
            model_name='evaluationquestion',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='questions', to='knowledge.evaluationrun'),
        ),
        migrations.AddField(
            model_name='evaluationfigure',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='figures', to='knowledge.evaluationrun'),
        ),
        migrations.AddField(
            model_name='goldenquestion',
            name='created_by',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='goldenquestion',
            name='document',
            field=models.ForeignKey(blank=True, help_text='The document that should be found. Leave it empty for a question that nothing here should answer.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='golden_questions', to='knowledge.document'),
        ),
        migrations.AddField(
            model_name='historicaldocument',
            name='confirmed_by',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldocument',
            name='history_user',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldocument',
            name='retired_by',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldocument',
            name='reviewed_by',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldocument',
            name='supersedes',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.document'),
        ),
        migrations.AddField(
            model_name='historicaldocument',
            name='uploaded_by',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='import',
            name='requested_by',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicaldocument',
            name='batch',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='knowledge.import'),
        ),
        migrations.AddField(
            model_name='document',
            name='batch',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='documents', to='knowledge.import'),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['content_hash'], name='document_content_hash'),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(condition=models.Q(('file_hash', ''), _negated=True), fields=['file_hash'], name='document_file_hash'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.UniqueConstraint(condition=models.Q(('key', ''), _negated=True), fields=('key',), name='imported_record_once'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'published'), ('supersedes__isnull', False)), fields=('supersedes',), name='document_one_published_successor'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('confirmed_at__isnull', True), ('confirmed_by__isnull', True)), models.Q(('confirmed_at__isnull', False), ('confirmed_by__isnull', False)), _connector='OR'), name='document_confirmed_who_and_when'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('retired_at__isnull', True), ('retired_by__isnull', True)), models.Q(('retired_at__isnull', False), ('retired_by__isnull', False)), _connector='OR'), name='document_retired_who_and_when'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'published'), _negated=True), ('retired_at__isnull', True), _connector='OR'), name='document_retired_exactly_when'),
        ),
        migrations.AddConstraint(
            model_name='document',
            constraint=models.CheckConstraint(condition=models.Q(('confirm_every_days__gte', 1)), name='document_confirm_every_day_at_most'),
        ),
        migrations.AddField(
            model_name='importitem',
            name='batch',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='knowledge.import'),
        ),
        migrations.AddField(
            model_name='importitem',
            name='document',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='knowledge.document'),
        ),
        migrations.AddField(
            model_name='trial',
            name='document',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='trials', to='knowledge.document'),
        ),
        migrations.AddField(
            model_name='trial',
            name='requested_by',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='evaluationquestion',
            constraint=models.UniqueConstraint(fields=('run', 'dataset', 'key'), name='evaluation_question_once'),
        ),
        migrations.AddConstraint(
            model_name='evaluationfigure',
            constraint=models.UniqueConstraint(fields=('run', 'dataset', 'system', 'metric'), name='evaluation_figure_once'),
        ),
        migrations.AddConstraint(
            model_name='goldenquestion',
            constraint=models.UniqueConstraint(fields=('text', 'language'), name='golden_question_once'),
        ),
        migrations.AddIndex(
            model_name='import',
            index=models.Index(condition=models.Q(('status__in', ['waiting', 'running'])), fields=['created_at'], name='import_open'),
        ),
        migrations.AddIndex(
            model_name='importitem',
            index=models.Index(condition=models.Q(('status__in', ['waiting', 'running'])), fields=['batch', 'position'], name='import_item_open'),
        ),
        migrations.AddConstraint(
            model_name='importitem',
            constraint=models.UniqueConstraint(fields=('batch', 'position'), name='import_item_position_once'),
        ),
        migrations.AddIndex(
            model_name='trial',
            index=models.Index(condition=models.Q(('status__in', ['waiting', 'running'])), fields=['kind', 'created_at'], name='trial_open'),
        ),
        migrations.AddIndex(
            model_name='trial',
            index=models.Index(fields=['created_at'], name='trial_age'),
        ),
        # Rows made before there were indexes: each goes to the index of the model that made it.
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        # Else the foreign keys just written are still to be checked, and the table cannot be altered.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RemoveField(
            model_name='chunk',
            name='model',
        ),
        migrations.AlterField(
            model_name='chunk',
            name='embedding',
            field=pgvector.django.halfvec.HalfVectorField(),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='search',
            field=django.contrib.postgres.search.SearchVectorField(),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='terms',
            field=pgvector.django.sparsevec.SparseVectorField(),
        ),
        migrations.AlterField(
            model_name='chunk',
            name='index',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='chunks', to='knowledge.embeddingindex'),
        ),
        migrations.AddConstraint(
            model_name='chunk',
            constraint=models.UniqueConstraint(fields=('document', 'index', 'position'), name='chunk_position_once'),
        ),
        migrations.RunPython(index_vectors, migrations.RunPython.noop),
    ]
