{# Sharing an amount out in whole units without losing one: everybody gets the whole units of its
   share, and what is left goes, a unit each, to the largest fractions. All of it is exact, for `div`
   and `mod` never round, and a power of ten is multiplied with, never divided by. #}

{# Units of an amount: a millionth, or finer where the amount itself is. #}
{% macro unit_digits(amount) -%}
    greatest(scale({{ amount }}), 6)
{%- endmacro %}

{% macro units_of(amount, digits) -%}
    abs({{ amount }}) * ('1e' || {{ digits }})::numeric
{%- endmacro %}

{# The whole units of `weight` among `weights`, and what is left over, in parts of `weights`. #}
{% macro whole_units(amount, digits, weight, weights) -%}
    div({{ units_of(amount, digits) }} * {{ weight }}, {{ weights }})
{%- endmacro %}

{% macro fraction_left(amount, digits, weight, weights) -%}
    mod({{ units_of(amount, digits) }} * {{ weight }}, {{ weights }})
{%- endmacro %}

{# The share as an amount: its whole units, one more where it ranks within those that are left. #}
{% macro share_of(amount, digits, units, rank, units_left) -%}
    sign({{ amount }})
    * ({{ units }} + case when {{ rank }} <= {{ units_left }} then 1 else 0 end)
    * ('1e-' || {{ digits }})::numeric
{%- endmacro %}
