"""What transformers renders by chat templates of ours, for chapters/13-finetuning/tests/templates.rs.

    python3 -m venv venv && venv/bin/pip install torch transformers==5.23.0 jinja2 && venv/bin/python tests/reference/chat_templates.py > tests/reference/chat_templates.json

The templates are small, and each has a construct that published ones use: Python's methods of strings and dictionaries, `break`,
namespaces, slices, white space control, `raise_exception`.
"""

import json
from importlib.metadata import version

from transformers.utils.chat_template_utils import render_jinja_template

TEMPLATES = {
    "strings": "{% for m in messages %}{{ m.role.upper() }}: {{ m['content'].strip() }}\n{% endfor %}",
    "split": (
        "{%- for m in messages %}\n"
        "    {%- set parts = m.content.split('=') %}\n"
        "    {{- '[' + m.role + ']' + parts[-1].lstrip() + '|' }}\n"
        "{%- endfor %}"
    ),
    "startswith": "{% for m in messages %}{% if m.content.startswith('Who') %}?{% else %}.{% endif %}{{ m.content }}{% endfor %}",
    "break": "{% for m in messages %}{% if loop.index > 2 %}{% break %}{% endif %}{{ m.content }};{% endfor %}",
    "namespace": (
        "{% set ns = namespace(system='none') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.system = m.content %}"
        "{% endif %}{% endfor %}<{{ ns.system }}>{{ messages | length }}"
    ),
    "slice": "{% set rest = messages[1:] %}{% for m in rest %}{{ loop.index0 }}{{ m.content }}{% if not loop.last %},{% endif %}{% endfor %}",
    "default": "{{ bos_token }}{% if tools is defined and tools %}tools{% else %}plain{% endif %}{{ date | default('no date') }}{{ eos_token }}",
    "blocks": "{% for m in messages %}\n    {% if m.role == 'user' %}\n{{ m.content }}\n    {% endif %}\n{% endfor %}\n{% if add_generation_prompt %}\n>\n{% endif %}\n",
    "get": "{% for m in messages %}{{ m.get('name', 'nobody') }}:{{ m.get('content') | trim }} {% endfor %}",
    "alternate": "{% for m in messages %}{% if (m.role == 'assistant') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate, not ' ~ m.role) }}{% endif %}{% endfor %}ok",
}
MESSAGES = [
    {"role": "system", "content": "Answer = briefly."},
    {"role": "user", "content": "Who sells honey & <tea>?  "},
    {"role": "assistant", "content": "Tovi's \"market\"."},
]


def rendered(template):
    try:
        texts, _ = render_jinja_template(
            conversations=[MESSAGES], chat_template=template, add_generation_prompt=True, bos_token="<s>", eos_token="</s>"
        )
        return {"text": texts[0]}
    except Exception as error:
        return {"error": str(error)}


cases = [{"name": name, "template": template, **rendered(template)} for name, template in TEMPLATES.items()]
made_with = {name: version(name) for name in ("jinja2", "transformers")}
print(json.dumps({"made_with": made_with, "messages": MESSAGES, "cases": cases}, indent=1))
