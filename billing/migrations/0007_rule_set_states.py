from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_routing'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='ruleset',
            name='billing_ruleset_one_active',
        ),
        migrations.RemoveField(
            model_name='ruleset',
            name='is_active',
        ),
        migrations.AddConstraint(
            model_name='ruleset',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'active')), fields=('state',), name='billing_ruleset_one_active'),
        ),
    ]
