"""The verb ``app``: a page to try upscalers on, for this computer unless told otherwise."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from wildsr.app.studio import Studio
from wildsr.config.allocator import tune_allocator
from wildsr.config.check import checked
from wildsr.config.make import make
from wildsr.error import UserError
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.image import list_images
from wildsr.run.folder import BASELINE, config_of
from wildsr.run.load import load_upscaler

WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt")
SAMPLES = 12
# What the page may load: its own. Gradio's scripts are partly written into it.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' data: blob:"
)


def app(overrides: list[str], console: Console) -> int:
    """Serve the page until it is stopped; the exit code."""
    config = checked("app", overrides)
    _free(str(config.host), config.port)
    loaders = _loaders(config)
    tune_allocator()
    with tempfile.TemporaryDirectory(prefix="wildsr-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = str(Path(folder) / "uploads")
        serve, application = _application(config, loaders, Path(folder))
        address = f"http://{config.host}:{config.port}"
        console.print(f"{address}  (stop with Ctrl-C)", markup=False, soft_wrap=True)
        if str(config.host) not in ("127.0.0.1", "localhost", "::1"):
            console.print("Everybody who can reach this computer can use the page.")
        serve(application, host=str(config.host), port=config.port, log_level="warning")
    return 0


def _free(host: str, port: int) -> None:
    """Refuse an address that another program has."""
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
    found: dict[str, Callable[[], Upscaler]] = {}
    if config.run is not None:
        folder = Path(str(config.run)).expanduser()
        config_of(folder)
        found[folder.resolve().name] = partial(load_upscaler, run=folder, **options)
        if (folder / BASELINE).is_dir():
            found[f"{folder.resolve().name}: {BASELINE}"] = partial(
                load_upscaler, run=folder / BASELINE, **options
            )
    if config.weights is not None:
        path = Path(str(config.weights)).expanduser()
        files = (
            sorted(f for f in path.iterdir() if f.suffix in WEIGHTS) if path.is_dir() else [path]
        )
        if not files:
            raise UserError(f"`weights`: the folder {path} holds none of {', '.join(WEIGHTS)}.")
        if not path.exists():
            raise UserError(f"`weights` must be a file or a folder, but {path} does not exist.")
        found |= {file.name: partial(load_upscaler, weights=file, **options) for file in files}
    return found


def _samples(config: DictConfig) -> list[Path]:
    """Photos to pick from."""
    if config.samples is not None:
        return list_images(str(config.samples), "samples")[:SAMPLES]
    if config.run is None:
        return []
    data: Any = make(config_of(Path(str(config.run)).expanduser()).data, "data")
    try:
        return list_images(data.val_lr or data.lr, "data.lr")[:SAMPLES]
    except UserError:  # they are gone, or on another computer
        return []


def _application(
    config: DictConfig, loaders: dict[str, Callable[[], Upscaler]], folder: Path
) -> tuple[Callable[..., None], Any]:
    """What serves, and what is served.

    Raises:
        UserError: without the packages of ``wildsr[app]``, or an upscaler that cannot be loaded.
    """
    try:
        import fastapi
        import gradio as gr
        import uvicorn

        from wildsr.app.page import CSS, THEME, Page
    except ImportError as error:
        raise UserError(f"The page needs gradio ({error}): pip install 'wildsr[app]'.") from error
    samples = _samples(config)
    page = Page(Studio(loaders, config.limit), samples, folder / "results").blocks()
    page.queue(max_size=32)
    served = gr.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page,
        path="/",
        server_name=str(config.host),
        server_port=config.port,
        allowed_paths=[str(folder / "results"), *map(str, samples)],
        max_file_size=int(config.upload * 2**20),
        show_error=False,
        footer_links=[],
        ssr_mode=False,
        theme=THEME,
        css=CSS,
    )
    return uvicorn.run, _Closed(served)


class _Closed:
    """An ASGI application whose pages load nothing from elsewhere, whatever they hold."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def closed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self.inner(scope, receive, closed)
