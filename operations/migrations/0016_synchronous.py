from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('operations', '0015_standbys'),
    ]

    operations = [
        migrations.AddField(
            model_name='protection',
            name='fell_back_at',
            field=models.DateTimeField(blank=True, help_text='Since when they do not, because it was away.', null=True),
        ),
        migrations.AddField(
            model_name='protection',
            name='waits',
            field=models.BooleanField(default=False, help_text='Whether commits waited for the receiver at `noted_at`.'),
        ),
    ]
