#!/usr/bin/env bash
# Runs the installed program, without the repository and without anything that only developers have.
set -euo pipefail
segcli=$1
cd "$(mktemp -d)"
count=0

run() {
    "$segcli" "$@" > out 2> err || { echo "smoke: segcli $* failed with $?" >&2; cat out err >&2; exit 1; }
    [ -s out ] || { echo "smoke: segcli $* printed nothing" >&2; exit 1; }
    [ ! -s err ] || { echo "smoke: segcli $* wrote to stderr:" >&2; cat err >&2; exit 1; }
    count=$((count + 1))
}

# Walks down: every word in a help screen's list of commands is a command with a help screen.
help_of() {
    run "$@" --help
    local names name
    names=$(sed -n '/ Commands /,/^╰/s/^│ \([a-z][a-z-]*\) .*/\1/p' out)
    for name in $names; do help_of "$@" "$name"; done
}

export COLUMNS=100
help_of
run --version
run shapes
run shapes 'src[a, b, :]' src=8,16,3 a=4,5 b=4,5
grep -q '(4, 5, 3)' out
run params
grep -q '1,168' out
run params --json
run params conv 64 128 --norm batch --formula
run params net
run params net resnet18 bisenet_v2 --size 64x96
grep -q '11,689,512' out
run params net bisenet_v2 --depth 1 --claim params=3.36M
grep -q 'holds: parameters without auxiliary heads' out
run params module segcli.nn.nets:resnet18 --size 64 --json
grep -q '"receptive_field"' out

# A safetensors file of two numbers, and what ckpt makes of it without torch.
printf '\x58\x00\x00\x00\x00\x00\x00\x00{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}%-34s\x00\x00\x80\x3f\x00\x00\x00\x40' '' > a.safetensors
run params file a.safetensors
run ckpt convert a.safetensors a.pth
run ckpt convert a.pth gpu.pth --to cuda:0
run ckpt inspect gpu.pth
grep -q 'cuda:0' out
run ckpt verify a.pth gpu.pth
grep -q '2 of 2 checkpoints are whole' out
run ckpt strip gpu.pth renamed.pth --rename w=v
run ckpt diff a.pth gpu.pth --ignore tags
run ckpt merge a.pth gpu.pth --average --into mean.pth
run ckpt inspect mean.pth --json
grep -q '"shape"' out

# Two pairs of files, evaluated in one process and in two.
"$(dirname "$segcli")/python" - <<'END'
import os
import numpy
from PIL import Image

for folder in ("predictions", "labels"):
    os.mkdir(folder)
for name, seed in (("a", 0), ("b", 1)):
    draw = numpy.random.default_rng(seed)
    numpy.save(f"predictions/{name}.npy", draw.normal(size=(3, 24, 32)).astype("float32"))
    Image.fromarray(draw.integers(0, 3, (24, 32)).astype("uint8")).save(f"labels/{name}.png")
END
run loss predictions labels --metrics
grep -q 'mean IoU' out
run loss predictions labels --as smp --json
grep -q '"projects"' out
run loss predictions labels --loss ohem --over all --sweep thresh=0.5,0.7 --csv
cp out alone
run loss predictions labels --loss ohem --over all --sweep thresh=0.5,0.7 --csv --nproc 2
cmp out alone
run loss predictions labels --per-file files.jsonl --heatmap heatmaps --log-dir events -q
[ -s heatmaps/a.png ] && [ "$(wc -l < files.jsonl)" = 3 ]

# Two short runs, held against each other and made a page.
for side in before after; do
    run bench --suite norm --kernel group --size 16 --time-budget 1 --passes 2 -q --json
    cp out $side.json
done
run bench compare before.json after.json --min-effect 90% -q
grep -q 'group' out
run bench report before.json after.json
grep -q '<svg' out
echo "smoke: $count commands ran"
