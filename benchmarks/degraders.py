"""What the degrader of each method costs in `degrade.py`: time, random numbers, parameters.

    python benchmarks/degraders.py            at published sizes
    python benchmarks/degraders.py --quick    one small photo, once

Fresh networks, one thread, a photo in one piece; processor time, so that other programs count
little. How close each comes to a camera that is known is what benchmarks/fair.py measures.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median

SCALE, ROUNDS = 4, 3
METHODS = ("wild", "adversarial_camera", "pdm", "bulat", "maeda", "dsgan", "dasr", "lud_vae")


def measure(method: str, side: int, rounds: int) -> dict[str, float]:
    """Seconds and bytes drawn for a megapixel of LR; parameters."""
    import torch
    from hydra.utils import get_class

    from wildsr.config.compose import configure
    from wildsr.inference.degrader import Degrader
    from wildsr.method.part import draw
    from wildsr.training.build import build_training

    config = configure("train", [f"method={method}", "finish=none", "trainer.accelerator=cpu"])
    networks = build_training(config).networks
    degrader = Degrader(get_class(config.method["_target_"]), dict(networks.items()), SCALE).eval()
    hr, taken = torch.rand(1, 3, SCALE * side, SCALE * side), []
    for _ in range(rounds + 1):
        begun = time.process_time()
        degrader(hr)
        taken.append(time.process_time() - begun)
    step, drawn = degrader.method(dict(networks.items()), {"hr": hr}, SCALE), 0
    with torch.no_grad():
        for name in degrader.method.parts[draw]:
            value = getattr(step, name)
            drawn += sum(v.nbytes for v in (value if isinstance(value, tuple) else (value,)))
    pixels = side**2 / 1e6
    sources = degrader.sources(hr)
    counted = sum(p.numel() for n in sources for p in networks[n].parameters())
    figures = {"seconds": median(taken[1:]) / pixels, "drawn_mb": drawn / 1e6 / pixels}
    return figures | {"parameters": counted}


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    side, rounds = (32, 1) if options.quick else (128, ROUNDS)
    found = {method: measure(method, side, rounds) for method in options.method}
    print("| method | seconds a megapixel of LR | MB of random numbers | parameters |")
    print("| --- | ---: | ---: | ---: |")
    for method, row in found.items():
        cells = f"{row['seconds']:.1f} | {row['drawn_mb']:.0f} | {row['parameters']:,}"
        print(f"| {method} | {cells} |")
    if options.json:
        flat = {f"{m}_{name}": v for m, row in found.items() for name, v in row.items()}
        options.json.write_text(json.dumps(flat, indent=1) + "\n")


if __name__ == "__main__":
    main()
