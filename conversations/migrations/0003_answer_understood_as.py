import jeevo.fields
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0002_triage_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="answer",
            name="understood_as",
            field=jeevo.fields.EncryptedTextField(
                blank=True,
                help_text="The question as it was searched, where it was rewritten or translated.",
                null=True,
            ),
        ),
    ]
