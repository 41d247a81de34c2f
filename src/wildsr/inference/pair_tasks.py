"""Which pairs there are to make of which sharp photos: of folders, stores and files of many."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wildsr.archive.address import Place, place_of, split_place
from wildsr.archive.container import Container, Sample, Slot, distinct
from wildsr.archive.place import Pair, Source, Target
from wildsr.archive.store import Store, Stored
from wildsr.error import UserError
from wildsr.inference.archives import check_place, one_of_a_store, results_below, unzipped
from wildsr.inference.packed import container_kind, each_tar, into, part_name
from wildsr.inference.tasks import Choice, Task
from wildsr.inference.work import Work
from wildsr.photo.encode import BECOME, FORMATS
from wildsr.photo.folder import flat_names, list_images
from wildsr.photo.own_results import contains, without_results
from wildsr.seed import mix_seeds

CHOSEN = ("png", "tif")  # containers of both files that can be asked for
KEPT = ("png", "tif", "npy", "npz", "dcm")  # that lose nothing; photos in others become PNG


@dataclass(frozen=True)
class Making:
    """What pairs are made of a photo.

    Args:
        format: of both files: "png" or "tif"; "jpeg" of the LR alone; None keeps each photo's own,
            where it loses nothing.
        draws: pairs of each photo.
        seed: of all draws.
    """

    format: str | None = None
    draws: int = 1
    seed: int = 0

    def suffixes(self, name: str) -> tuple[str, str]:
        """Those of the HR and of the LR file of a photo."""
        own = os.path.splitext(name)[1].lower()
        if not own or own[1:].isdigit():  # DICOM, of which numbers and no suffix are names
            kept = "dcm"
        else:
            kept = FORMATS.get(own[1:], BECOME.get(own, "png"))
        kept = kept if kept in KEPT else "png"
        if self.format in CHOSEN:
            kept = self.format
        return f".{kept}", ".jpg" if self.format == "jpeg" else f".{kept}"

    def tasks(
        self,
        source: Path | Source,
        name: str,
        input: str,
        place: Callable[[str, str, str, int], tuple[Pair, str]],
    ) -> Iterator[Task]:
        """The tasks of one photo, one a draw.

        Args:
            source: the photo.
            name: of its pair.
            input: its path below the input.
            place: from the pair's name, both suffixes and the number of the draw to its place, and
                what manifests call it.
        """
        hr, lr = self.suffixes(str(source))
        for number in range(self.draws):
            called = name if self.draws == 1 else f"{name}_{number + 1}"
            target, output = place(called, hr, lr, number)
            # By the name and not by the place in the list: it does not matter what else is there.
            drawn = hashlib.blake2b(os.fsencode(f"{called}/{number}"), digest_size=7).digest()
            seed = mix_seeds(self.seed, int.from_bytes(drawn), number)
            yield Task(source, target, input, output, seed)


@contextmanager
def pair_works(
    source: str, output: str, making: Making, choice: Choice, overwrite: bool
) -> Iterator[Iterator[Work]]:
    """What there is to degrade, one place after the other; asked for the next when one is done.

    Args:
        source: sharp photos: a photo, a folder, a URL of fsspec's, a zip file, tar files.
        output: a folder, a URL; a tar or zip file. Of tar files each becomes one of its name. In a
            tar file a pair is a sample, ``NAME.hr.png`` and ``NAME.lr.png``.
        making: what is made of each.
        choice: which photos; of several tar files whole ones are chosen.
        overwrite: whether a tar or zip file that exists is made again.

    Raises:
        UserError: an input or output that cannot be.
    """
    output = unzipped(output)
    if source.lower().endswith(".tar"):
        yield _tars(source, output, making, choice, overwrite)
    elif container_kind(output) is not None:
        yield _packed(source, output, making, choice, overwrite)
    else:
        yield iter([_plain(source, output, making, choice)])


def _photos(source: str, output: Place | None) -> list[tuple[Path | Stored, str, str]]:
    """The photos, the names of their pairs, and their paths below the input."""
    given = place_of(source, "hr")
    if isinstance(given, Path):
        found = list_images(given, "hr")
        if isinstance(output, Path):
            found = without_results(found, output, "hr")
        folder = given.parent if given.is_file() else given
        own = [path.relative_to(folder).as_posix() for path in found]
        return [*zip(found, flat_names(found), own, strict=True)]
    one = one_of_a_store(source, "hr")
    if one is not None:
        given, name = one
        names = [name]
    else:
        below = results_below(given, output, "hr")
        names = [
            n for some in given.walk() for n in some if below is None or not n.startswith(below)
        ]
        if not names:
            raise contains(output, "hr")
    pairs = flat_names([Path(name) for name in names])
    return [(Stored(given, n), pair, n) for n, pair in zip(names, pairs, strict=True)]


def _plain(source: str, output: str, making: Making, choice: Choice) -> Work:
    """Pairs to files of their own."""
    wanted = place_of(output, "output")
    if isinstance(wanted, Store) and wanted.read_only:
        raise UserError(
            f"`output`: nothing can be written into {wanted} photo by photo; name a folder, s3://, "
            "gs://, sftp://, or a file NAME.zip or NAME.tar."
        )

    def place(name: str, hr: str, lr: str, number: int) -> tuple[Pair, str]:
        names = f"hr/{name}{hr}", f"lr/{name}{lr}"
        if isinstance(wanted, Path):
            return Pair(wanted / names[0], wanted / names[1]), names[1]
        return Pair(Stored(wanted, names[0]), Stored(wanted, names[1])), names[1]

    todo = [
        task
        for photo, name, own in _photos(source, wanted)
        if own in choice
        for task in making.tasks(photo, name, own, place)
    ]
    return Work(todo, wanted, str(wanted), lambda: check_place(wanted), lambda: len(todo))


def _packed(
    source: str, output: str, making: Making, choice: Choice, overwrite: bool
) -> Iterator[Work]:
    """Pairs into one tar or zip file; of several shards each has its own."""
    photos = [each for each in _photos(source, None) if each[2] in choice.shard]
    output = part_name(output, choice.shard)
    file = split_place(output)[1]
    inside = _in_tar if container_kind(output) == ".tar" else _in_zip

    def fill(container: Container) -> tuple[Iterable[Task], Callable[[], int], Callable[[], None]]:
        wanted = Choice(only=choice.only if container.again else None)

        def place(name: str, hr: str, lr: str, number: int) -> tuple[Pair, str]:
            pair, called = inside(container, name, hr, lr)
            return pair, f"{file}/{called}"

        made = (
            task for photo, name, own in photos for task in making.tasks(photo, name, own, place)
        )
        todo = [task for task in made if task.input in wanted]
        return todo, lambda: len(todo), lambda: None

    yield from into(source, output, overwrite, fill, choice.only)


def _in_tar(container: Container, name: str, hr: str, lr: str) -> tuple[Pair, str]:
    key = container.name(f"{name}.pair").removesuffix(".pair")
    names = f"{key}.hr{hr}", f"{key}.lr{lr}"
    return Pair(Slot(container, names[0]), Slot(container, names[1])), names[1]


def _in_zip(container: Container, name: str, hr: str, lr: str) -> tuple[Pair, str]:
    name = container.name(name)
    names = f"hr/{name}{hr}", f"lr/{name}{lr}"
    return Pair(Slot(container, names[0]), Slot(container, names[1])), names[1]


def _tars(
    source: str, output: str, making: Making, choice: Choice, overwrite: bool
) -> Iterator[Work]:
    """Each tar file into one of its name."""

    def tasks(container: Container, sample: Sample) -> Iterator[Task]:
        place = _sample_place(container, sample)
        return making.tasks(sample, sample.key, str(sample.photo), place)

    return each_tar(source, output, choice, overwrite, tasks, "hr")


def _sample_place(
    container: Container, sample: Sample
) -> Callable[[str, str, str, int], tuple[Pair, str]]:
    """The place of a sample's pairs, each with the sample's other files.

    Where one of these has the name of a file of the pair, it gets a number: ``a.lr-2.png``.
    """

    def place(name: str, hr: str, lr: str, number: int) -> tuple[Pair, str]:
        both = [f"{name}.hr{hr}", f"{name}.lr{lr}"]
        others: dict[str, bytes] = {}
        for other, data in sample.others.items():
            called = distinct(f"{name}{other.removeprefix(sample.key)}", both)
            if called in others:
                called = distinct(called, [*both, *others])
            others[called] = data
        key = container.key(name, [*both, *others])
        sharp, low, *names = (key + each.removeprefix(name) for each in (*both, *others))
        others = dict(zip(names, others.values(), strict=True))
        slots: tuple[Target, Target] = Slot(container, sharp), Slot(container, low, others)
        return Pair(*slots), low

    return place
