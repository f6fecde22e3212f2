# What a search reads of every candidate stands in the row itself, and is not fetched from the table of oversized values.
# Rows written before keep their place until they are written anew (`manage.py reindex --rebuild`).

from django.db import migrations

STORAGE = "ALTER TABLE knowledge_chunk ALTER COLUMN embedding SET STORAGE {0}, ALTER COLUMN terms SET STORAGE {0}"


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0002_curation")]

    # Not PLAIN: a vector of some thousand dimensions may still move out when its row fills no page.
    operations = [migrations.RunSQL(STORAGE.format("MAIN"), STORAGE.format("EXTERNAL"))]
