#!/bin/sh
# mlx_lm reads a layer that config.json leaves out by its shapes, but one whose entry lacks the group size by a default.
#
# Two real things meet: the `quantization` of a folder of MLX weights, an entry for one layer in it, and mlx_lm.
#
# Versions: mlx-lm 0.32.2 with mlx 0.32.4. Seen on 2026-11-30 with Python 3.11 on Linux, x86-64.
#
# Behaviour: a layer without an entry is read by the shapes of its tensors, whatever the folder states. An entry is taken
# as it is: what it leaves out is the default of its mode (groups of 64, 4 bits), not the folder's value, and a folder
# packed with that value does not load. An empty entry means that the layer is not quantized. Only an entry `true`
# takes over the folder's own bits and group size.
#
# Output seen (a small Llama whose other layers have 4 bits, groups of 32; "right": its logits are those before saving):
#   the folder states  the layer's entry     the layer has   mlx_lm reads
#   4 bits, 32         none                  8 bits, 64      8 bits, 64: right
#   4 bits, 32         none                  8 bits, 32      8 bits, 32: right
#   2 bits, 128        none                  8 bits, 32      8 bits, 32: right
#   4 bits, 32         {"bits": 8}           8 bits, 64      8 bits, 64: right
#   4 bits, 32         {"bits": 8}           8 bits, 32      refused: scales of another shape
#   4 bits, 32         {"mode": "affine"}    4 bits, 64      4 bits, 64: right
#   8 bits, 32         {"group_size": 32}    8 bits, 32      refused: weight of another shape
#   4 bits, 32         true                  4 bits, 32      4 bits, 32: right
#   4 bits, 32         {}                    4 bits, 32      refused: parameters not in the model
#
# Why it matters: bits per weight worked out from config.json, with the folder's values for what is not there, are wrong
# both for a layer without an entry and for an entry with a gap: 9 for 8.5 bits in the fourth line. Read the shapes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
sed -n 's/^#   //p' "$0" > "$work/then"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  mlx==0.32.4 mlx-cpu==0.32.4 mlx-lm==0.32.2 \
  transformers==5.23.0 tokenizers==0.23.3 numpy==2.4.6 huggingface_hub==2.4.0 safetensors==0.8.0 regex==2026.11.19 \
  annotated-doc==0.0.7 anyio==4.16.0 click==8.5.1 filelock==4.3.1 fsspec==2026.9.0 h11==0.16.0 hf-xet==1.8.0 \
  httpcore2==2.16.2 httpx2==2.16.2 idna==3.20 Jinja2==3.1.6 markdown-it-py==4.3.0 MarkupSafe==3.0.4 mdurl==0.1.2 \
  packaging==26.4 protobuf==7.36.2 Pygments==2.21.0 PyYAML==6.0.4 rich==15.0.0 sentencepiece==0.2.3 \
  shellingham==1.5.4 tqdm==4.70.1 truststore==0.10.5 typer==0.29.2 typing_extensions==4.16.0

cat > "$work/look.py" <<'PYTHON'
"""Save a small Llama with one layer packed in another way, state it so or so, and load it: `look.py FOLDER`."""
import json
import re
import sys
from pathlib import Path

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten
from mlx_lm.models.llama import Model, ModelArgs
from mlx_lm.utils import load_model

LLAMA = {"model_type": "llama", "hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 256}
LLAMA |= {"num_attention_heads": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "vocab_size": 256}
LAYER = "model.layers.0.self_attn.v_proj"
FOLDER = Path(sys.argv[1])
PROMPT = mx.array([[1, 2, 3]])
CASES = (  # what the folder states, the layer's entry (None: it has none), what the layer has
    ((4, 32), None, (8, 64)),
    ((4, 32), None, (8, 32)),
    ((2, 128), None, (8, 32)),
    ((4, 32), {"bits": 8}, (8, 64)),
    ((4, 32), {"bits": 8}, (8, 32)),
    ((4, 32), {"mode": "affine"}, (4, 64)),
    ((8, 32), {"group_size": 32}, (8, 32)),
    ((4, 32), True, (4, 32)),
    ((4, 32), {}, (4, 32)),
)


def read(stated: tuple[int, int], entry: object, packed: tuple[int, int]) -> str:
    """Return what mlx_lm takes the layer for, or how it refuses the folder."""
    mx.random.seed(1)
    model = Model(ModelArgs.from_dict(LLAMA))
    own = {"bits": packed[0], "group_size": packed[1]}
    nn.quantize(model, 32, 4, class_predicate=lambda at, one: hasattr(one, "to_quantized") and (at != LAYER or own))
    mx.save_safetensors(str(FOLDER / "model.safetensors"), dict(tree_flatten(model.parameters())))
    quantization = {"bits": stated[0], "group_size": stated[1]} | ({} if entry is None else {LAYER: entry})
    (FOLDER / "config.json").write_text(json.dumps(LLAMA | {"quantization": quantization}))
    try:
        loaded, _ = load_model(FOLDER)
    except ValueError as error:
        shape = re.search(rf"Expected shape .* {LAYER}\.(\w+)", str(error))
        return f"refused: {shape[1]} of another shape" if shape else "refused: parameters not in the model"
    layer = loaded.model.layers[0].self_attn.v_proj
    same = mx.allclose(loaded(PROMPT), model(PROMPT))
    return f"{layer.bits} bits, {layer.group_size}: {'right' if same else 'wrong'}"


FOLDER.mkdir()
print("the folder states  the layer's entry     the layer has   mlx_lm reads")
for stated, entry, packed in CASES:
    sizes = [f"{bits} bits, {group}" for bits, group in (stated, packed)]
    shown = "none" if entry is None else json.dumps(entry)
    print(f"{sizes[0]:<17}  {shown:<20}  {sizes[1]:<14}  {read(stated, entry, packed)}")
PYTHON

"$work/venv/bin/python" "$work/look.py" "$work/llama" > "$work/now"
cat "$work/now"
if ! diff "$work/then" "$work/now"; then
  echo "CHANGED: mlx_lm reads these folders in another way (lines with < were seen on 2026-11-30)."
  exit 1
fi
echo "As seen on 2026-11-30."
