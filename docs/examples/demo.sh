#!/usr/bin/env bash
# The main job on real photographs: train, look at the loss, the layers, the timings, and move the checkpoint.
set -euo pipefail
out=${1:-demo-output}
examples=$(dirname "$0")
mkdir -p "$out"
rm -rf "$out"/{logits,labels,checkpoint,checkpoint-cuda,checkpoint-cpu}.pt "$out"/{tensorboard,loss.json}

# Prints a command as one would type it, and runs it.
show() {
    printf '\n$'
    for word in "$@"; do
        if [[ $word =~ ^[A-Za-z0-9_./:,=-]+$ ]]; then printf ' %s' "$word"; else printf " '%s'" "$word"; fi
    done
    printf '\n'
    "$@"
}

show python "$examples/train.py" "$out" --seconds 20
show segcli shapes 'logits.argmax(dim=1)' logits=5,5,192,240
show segcli shapes 'logits[:, labels]' logits=5,5,192,240 labels=uint8:192,240 || [ $? -eq 1 ]
show segcli params conv 24 48 --size 96x120 --padding 1
show segcli loss "$out/predictions" "$out/labels" --config "$out/loss.yaml" --metrics --images "$out/pictures" --heatmap "$out/heatmaps" --log-dir "$out/tensorboard/loss" --force
show segcli loss "$out/predictions" "$out/labels" --loss ohem --over all --sweep thresh=0.3:0.9:0.2 --sweep n_min=1/64,1/16,1/4 -o "$out/sweep.csv" --force
cat "$out/sweep.csv"
show segcli loss "$out/logits.pt" "$out/labels.pt" -o "$out/loss.json"
show segcli bench --suite loss --time-budget 15 --size 192x240
show segcli ckpt inspect "$out/checkpoint.pt" -o "$out/checkpoint.txt" --force
head -n 12 "$out/checkpoint.txt" && echo "... the rest is in $out/checkpoint.txt"
show segcli ckpt convert "$out/checkpoint.pt" "$out/checkpoint-cuda.pt" --to cuda:0
show segcli ckpt convert "$out/checkpoint-cuda.pt" "$out/checkpoint-cpu.pt" --to cpu

cat <<END

Everything is in $out/:
  logits.pt, labels.pt     the network's answers and the truth, as torch.save writes them
  predictions/, labels/    the same as a file a picture; pictures/ is what the network saw
  heatmaps/                which pixels are hard
  sweep.csv                which thresh and n_min of OHEM keep how many of them
  checkpoint.pt            network, optimiser and step; checkpoint-cuda.pt and -cpu.pt are moved copies
  checkpoint.txt           what is in the checkpoint
  loss.json                the losses, for programs
  tensorboard/             loss by step, losses by class, heatmaps: tensorboard --logdir $out/tensorboard
END
