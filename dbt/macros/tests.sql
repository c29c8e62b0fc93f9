{# Generic tests; each returns the rows that break it. #}

{% test unique_together(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as rows_found
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{% test holds(model, expression) %}
select *
from {{ model }}
where not coalesce(({{ expression }}), false)
{% endtest %}

{% test one_row(model) %}
select count(*) as rows_found
from {{ model }}
having count(*) <> 1
{% endtest %}
