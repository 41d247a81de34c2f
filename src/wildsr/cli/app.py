"""The verb ``app``: serve a web page to try upscalers, by default for this computer only."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from wildsr.app.host import Hosts, is_loopback
from wildsr.app.limits import MB, Limits
from wildsr.app.login import Login
from wildsr.app.scratch import scratch
from wildsr.app.signals import tidy_signals
from wildsr.app.studio import STRENGTHS, Studio
from wildsr.app.visitor import Visitors
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import checked
from wildsr.config.trust import trusts
from wildsr.error import UserError
from wildsr.inference.device import choose_device
from wildsr.inference.upscaler import Upscaler
from wildsr.network.weights import SUFFIXES
from wildsr.photo.image import list_images
from wildsr.photo.raster.view import Sight
from wildsr.run.finish import default_strength
from wildsr.run.folder import BASELINE, config_of
from wildsr.run.load import has_finish, load_upscaler
from wildsr.run.photos import lr_photos

SAMPLES = 12
SHORT = 8  # minimum characters of a password


def app(overrides: list[str], console: Console) -> int:
    """Serve the page until it is stopped; returns the exit code.

    Raises:
        UserError: an invalid configuration, an address in use, a network without a password.
    """
    config = checked("app", overrides)
    choose_device(config.device)
    config.host = str(config.host).strip()
    _free(config.host, config.port)
    _check_reach(config)
    loaders = _loaders(config)
    tune_allocator()
    with tidy_signals(), scratch() as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
        serve, guard = _guarded(config, loaders, folder)
        name = f"[{config.host}]" if ":" in config.host else config.host
        console.print(f"http://{name}:{config.port}  (stop with Ctrl-C)", markup=False)
        if not is_loopback(config.host, config.port):
            who = "who knows the password" if config.password is not None else ""
            line = f"Everybody who can reach this computer {who}".rstrip() + " can use it."
            console.print(line, markup=False)
        stopped_by = serve(guard, config.host, config.port, guard.stop)
    if stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    return 128 + stopped_by if stopped_by else 0


def _check_reach(config: DictConfig) -> None:
    """Refuse to let others in by mistake."""
    if config.password is not None:
        config.password = str(config.password)
        if len(config.password) < SHORT:
            raise UserError(f"`password` must have at least {SHORT} characters.")
    elif not config.public and not is_loopback(config.host, config.port):
        raise UserError(
            f"`host={config.host}` lets others in: give them a `password=`, or say `public=true` "
            "to let in everybody who can reach this computer."
        )


def _free(host: str, port: int) -> None:
    """Refuse an address that another program has."""
    if not host:
        raise UserError("`host` must be an address of this computer, but got none.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise UserError(
            f"`host` and `port` must be a free address of this computer, but {host}:{port} "
            f"cannot be used: {error.strerror or error}."
        ) from error


def _loaders(config: DictConfig) -> dict[str, Callable[[], Upscaler]]:
    """The upscalers to choose from, by name; each loads when it is chosen."""
    options: dict[str, Any] = {"device": config.device, "tile": config.tile}
    trust = trusts(config)
    found: dict[str, Callable[[], Upscaler]] = {}
    if config.run is not None:
        folder = Path(str(config.run)).expanduser()
        config_of(folder, trust)
        options = {**options, "trust": trust}
        found[folder.resolve().name] = partial(load_upscaler, run=folder, **options)
        if (folder / BASELINE).is_dir():
            found[f"{folder.resolve().name}: {BASELINE}"] = partial(
                load_upscaler, run=folder / BASELINE, **options
            )
    if config.weights is not None:
        path = Path(str(config.weights)).expanduser()
        files = (
            sorted(f for f in path.iterdir() if f.suffix in SUFFIXES) if path.is_dir() else [path]
        )
        if not files:
            raise UserError(f"`weights`: the folder {path} holds none of {', '.join(SUFFIXES)}.")
        if not path.exists():
            raise UserError(f"`weights` must be a file or a folder, but {path} does not exist.")
        found |= {file.name: partial(load_upscaler, weights=file, **options) for file in files}
    return found


def _finished(config: DictConfig) -> dict[str, float]:
    """The upscalers that have a finish, and their default strengths."""
    if config.run is None:
        return {}
    folder = Path(str(config.run)).expanduser()
    if not has_finish(folder, trusts(config)):
        return {}
    default = default_strength(folder)
    return {folder.resolve().name: min(STRENGTHS, key=lambda one: abs(one - default))}


def _sight(config: DictConfig) -> Sight:
    bands = None if config.bands is None else tuple(config.bands)
    window = None if config.window is None else (float(config.window[0]), float(config.window[1]))
    return Sight(bands, window)


def _samples(config: DictConfig) -> list[Path]:
    """Photos to pick from."""
    if config.samples is not None:
        return list_images(str(config.samples), "samples")[:SAMPLES]
    if config.run is None:
        return []
    try:
        return lr_photos(Path(str(config.run)).expanduser(), trusts(config))[:SAMPLES]
    except UserError:  # they are gone, or on another computer
        return []


def _guarded(
    config: DictConfig, loaders: dict[str, Callable[[], Upscaler]], folder: Path
) -> tuple[Callable[..., int | None], Any]:
    """What serves, and the page behind its guard.

    Raises:
        UserError: without the packages of ``wildsr[app]``, or an upscaler that cannot be loaded.
    """
    try:
        from wildsr.app import component  # noqa: F401, I001 (before Gradio, which it keeps quiet)
        import fastapi
        import gradio as gr

        from wildsr.app.guard import Guard
        from wildsr.app.layout import CSS, THEME, laid_out
        from wildsr.app.page import Page
        from wildsr.app.server import serve
    except ImportError as error:
        raise UserError(f"The page needs gradio ({error}): pip install 'wildsr[app]'.") from error
    hosts = Hosts(config.host, config.port, _names(config.allowed_hosts))
    limits = Limits(
        upload=int(config.upload * MB),
        upload_time=config.upload_time,
        storage=int(config.storage * MB),
        share=int(config.share * MB),
        visitors=config.visitors,
        queue=config.queue,
    )
    visitors = Visitors(folder, limits)
    studio = Studio(loaders, config.limit, _finished(config), _sight(config))
    made = Page(studio, _samples(config), visitors)
    page = laid_out(made)
    # The guard limits the number of events; this limit is for those that it passes on.
    page.queue(max_size=limits.queue + 4 * limits.visitors)
    served = gr.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page,
        path="/",
        server_name=config.host,
        server_port=config.port,
        max_file_size=limits.upload,
        show_error=False,
        footer_links=[],
        ssr_mode=False,
        run_history=False,
        theme=THEME,
        css=CSS,
    )
    page.has_launched = True  # Gradio's own check of files, which mounting leaves off

    async def forget(session: str) -> None:
        queue = page._queue
        await queue.clean_events(session_hash=session)
        queue.pending_messages_per_session.pop(session, None)
        queue.pending_event_ids_session.pop(session, None)

    login = Login(config.port, config.password)
    return serve, Guard(served, visitors, made.forms(page), hosts, login, forget)


def _names(value: Any) -> list[str]:
    return [str(one) for one in ([value] if isinstance(value, str) else value or [])]
