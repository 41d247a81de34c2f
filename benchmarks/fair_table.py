"""What benchmarks/fair.py prints and draws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, stdev

from fair_rows import WHY, curves
from known_truth import means
from known_truth_rows import BICUBIC, ORACLE, TRAINED


def gap(found: dict[str, list[dict]], psnr: float) -> float | None:
    """The share of the way from bicubic-trained to the oracle."""
    if TRAINED not in found or ORACLE not in found:
        return None
    low, high = (means(found[row][0])["psnr"] for row in (TRAINED, ORACLE))
    return (psnr - low) / (high - low) if high > low else None


def table(found: dict[str, list[dict]]) -> Iterator[str]:
    """One scenario; where there are several seeds, their means and the spread of PSNR."""
    titles = ["upscaler", "PSNR", "SSIM", "gap closed", "LR: noise", "LR: mean, dB"]
    titles += ["iterations", "minutes", "loss that moved most"]
    yield "| " + " | ".join(titles) + " |"
    yield "| --- |" + " ---: |" * (len(titles) - 2) + " --- |"
    for row, results in found.items():
        each = [means(result) for result in results]
        psnr, ssim = (fmean(one[figure] for one in each) for figure in ("psnr", "ssim"))
        spread = f" ± {stdev(one['psnr'] for one in each):.2f}" if len(each) > 1 else ""
        closed = None if row in (TRAINED, ORACLE) else gap(found, psnr)
        first = results[0]
        cells = [row, f"{psnr:.2f}{spread}", f"{ssim:.4f}"]
        cells.append("" if closed is None else f"{closed:.0%}")
        cells.append(f"{first['noise']:.2f}" if "noise" in first else "")
        cells.append(f"{first['lr_psnr']:.1f}" if "lr_psnr" in first else "")
        spent = first.get("planned", first.get("seconds"))
        cells += [str(first.get("iterations", "")), "" if spent is None else f"{spent / 60:.1f}"]
        note = {True: "", False: ", **not settled**", None: ""}[first.get("settled")]
        cells.append(first.get("moved", "") + note)
        yield "| " + " | ".join(cells) + " |"


def below(scenario: str, found: dict[str, list[dict]]) -> Iterator[str]:
    """A line for each row whose PSNR is below plain bicubic's."""
    if BICUBIC not in found:
        return
    least = means(found[BICUBIC][0])["psnr"]
    for row, results in found.items():
        psnr = fmean(means(result)["psnr"] for result in results)
        if psnr < least:
            why = WHY.get(f"{scenario}-{row}", WHY.get(row, "nobody has looked why (--curves)."))
            yield f"- `{row}` is {least - psnr:.2f} dB below bicubic: {why}"


def draw_curves(run: Path, folder: Path) -> None:
    """A picture of all losses of a run, if there is one."""
    from matplotlib.figure import Figure

    if not (run / "metrics.csv").exists():
        return
    lines = curves(run)
    if not lines:
        return
    columns = min(3, len(lines))
    rows = -(-len(lines) // columns)
    figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for place, (name, points) in zip(axes.flat, lines.items(), strict=False):
        place.plot(*zip(*points, strict=True), linewidth=0.7)
        place.set_title(name, fontsize="small")
        if all(value > 0 for _, value in points):
            place.set_yscale("log")
    for place in list(axes.flat)[len(lines) :]:
        place.set_visible(False)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{run.name}.png", dpi=90)
