"""Opens pictures: sniffs, orients, caps, decodes. The only module that does; of Pillow alone, so that it loads fast.

Does not know where bytes come from, nor what becomes of the picture; `sightline.media` makes arrays of it.
"""

from __future__ import annotations

import ctypes
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any

from PIL import Image, UnidentifiedImageError, _imaging

from sightline.errors import UnreadableSource

MAX_PIXELS = 64_000_000  # a picture that says it is larger is not decoded
MAX_SIDE = 100_000  # nor is one with a longer side: every row of a picture costs memory by itself
WORKING_PIXELS = 1_048_576  # what `decode` hands on: 3 MiB, more than any encoder here looks at
_ALONE_PIXELS = 16_000_000  # larger ones are decoded one at a time, so that threads together stay below 1 GB

# Formats that need no other program. EPS (Ghostscript), WMF (Windows) and stubs (GRIB, HDF5 …) are left out on purpose.
_FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "TIFF", "BMP", "DIB", "JPEG2000", "ICO", "CUR", "ICNS"),
    *("PSD", "PPM", "QOI", "TGA", "DDS", "PCX", "DCX", "SGI", "SUN", "FLI", "FITS", "XPM", "XBM", "BLP", "FTEX"),
    *("GBR", "IM", "IMT", "MSP", "PCD", "PIXAR", "SPIDER", "XVTHUMB", "MCIDAS"),
)

# Found almost everywhere, and told by their first bytes beyond doubt: each loads alone, and nothing else is tried.
_COMMON = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF", "image/bmp": "BMP"}

_MAGIC: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), mime)
    for pattern, mime in (
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"....ftyp(?:avi[fs]|mif1.{4,56}avif)", "image/avif"),
        (rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", "image/heic"),
        (rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]", "image/tiff"),
        (rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", "image/bmp"),
        (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "image/jp2"),
        (rb"\0\0\x01\0[^\0]\0", "image/x-icon"),
        (rb"icns", "image/icns"),
        (rb"8BPS\0", "image/vnd.adobe.photoshop"),
        (rb"P[1-6Ff]\s+[#\d]|P7[\s ](?:WIDTH|332)", "image/x-portable-anymap"),
        (rb"qoif", "image/qoi"),
        (rb"DDS ", "image/vnd.ms-dds"),
        (rb"\x0a[\0\2\3\4\5]\x01[\1\2\4\x08]", "image/x-pcx"),
        (rb"\x01\xda[\0\1][\1\2]", "image/sgi"),
        (rb"\x59\xa6\x6a\x95", "image/x-sun-raster"),
        (rb"....[\x11\x12]\xaf", "image/x-fli"),
        (rb"SIMPLE  =", "image/fits"),
        (rb"/\* XPM \*/", "image/x-xpixmap"),
        (rb"#define [^\n]{1,80}_width ", "image/x-xbitmap"),
        (rb"BLP[12]", "image/x-blp"),
        (rb"%PDF-", "application/pdf"),
        (rb"%!PS|\xc5\xd0\xd3\xc6", "application/postscript"),
        (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "image/wmf"),
        (rb"\xff\x0a|\0\0\0\x0cJXL \r\n", "image/jxl"),
        (rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*(?:<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]", "image/svg+xml"),
    )
)

_REFUSED = {
    "application/pdf": "PDF documents are not read",
    "application/postscript": "PostScript and EPS are not read: they are programs that would have to be run",
    "image/wmf": "Windows metafiles (WMF, EMF) are not read: they are programs that would have to be run",
    "image/jxl": "JPEG XL is not read",
    "image/svg+xml": "SVG drawings are not read: they are programs that would have to be run",
}

# EXIF orientation -> what makes the picture upright (EXIF 2.32, tag 0x0112)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What decoders say, in their many ways
_CUT_SHORT = ("truncated", "not enough", "end of file", "unexpected end", "unexpected eof")
_FOREIGN = ("unsupported", "unimplemented", "not supported", "unknown", "cannot handle")

_alone = threading.Lock()
_silent = logging.NullHandler()
_threads: int | None = None  # of a decoder; None: as many as it likes
_quiet_lock = threading.Lock()
_quiet: dict[str, Any] = {"threads": 0, "guard": None}


def sniff(data: bytes) -> str | None:
    """The MIME type of a picture or page format, from its first bytes (512 are enough); None when it is neither."""
    head = bytes(data[:512])
    return next((mime for pattern, mime in _MAGIC if pattern.match(head)), None)


def opened(
    data: bytes,
    *,
    source: str = "",
    max_pixels: int = MAX_PIXELS,
    turn: AbstractContextManager[object] = _alone,
) -> Image.Image:
    """The first frame, upright, on white, in 8-bit RGB, shrunk to at most about a million pixels.

    `source` names the picture in errors; `turn` is held while a large one is decoded. Raises UnreadableSource with a
    reason fit to show.
    """
    mime = sniff(data)
    if mime in _REFUSED:
        raise UnreadableSource(source, _REFUSED[mime])
    if not data:
        raise UnreadableSource(source, "the file is empty")
    prepare(mime)
    with _no_warnings():
        picture = _begun(data, mime, source, max_pixels)
        width, height = picture.size
        if width * height > max_pixels:
            raise UnreadableSource(source, _too_large(f"{width} x {height}", width * height, max_pixels))
        if max(width, height) > MAX_SIDE:
            raise UnreadableSource(source, f"too large: {width} x {height}; a side may have {MAX_SIDE:,} pixels")
        with turn if width * height > _ALONE_PIXELS else nullcontext():
            return _decoded(picture, source)


def thumbnail(picture: Image.Image, *, side: int = 320) -> bytes:
    """A JPEG whose longer side is at most `side`; a smaller picture keeps its size. The picture is used up."""
    picture.thumbnail((side, side), Image.Resampling.BICUBIC)
    return to_jpeg(picture, quality=82)


def to_jpeg(picture: Image.Image, *, quality: int) -> bytes:
    """The picture as JPEG bytes."""
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def prepare(mime: str | None) -> None:
    """Load the decoders that a picture of this type, as `sniff` tells it, may need."""
    logging.getLogger("PIL").addHandler(_silent)
    if mime not in _COMMON:
        _load_all()
    elif mime == "image/webp":
        import_module("PIL.WebPImagePlugin")


def use_one_thread() -> None:
    """From now on every picture is decoded by one thread, so that what it takes can be foreseen."""
    global _threads  # noqa: PLW0603 - it is the decoders' own state that is set with it
    _threads = 1


@cache
def _load_all() -> None:
    """Every decoder of Pillow and the HEIF one; none of them writes to the terminal by itself."""
    import pillow_heif
    from PIL import AvifImagePlugin

    Image.init()
    pillow_heif.register_heif_opener()
    if _threads is not None:
        pillow_heif.options.DECODE_THREADS = AvifImagePlugin.DEFAULT_MAX_THREADS = _threads
    with suppress(AttributeError, OSError):  # a Pillow built without libtiff has nothing to silence
        silence = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
        silence.argtypes, silence.restype = [ctypes.c_void_p], ctypes.c_void_p
        silence(None)


# -- opening -----------------------------------------------------------------------------------------------------------


def _begun(data: bytes, mime: str | None, source: str, max_pixels: int) -> Image.Image:
    """The picture with its header read and nothing decoded."""
    formats = (_COMMON[mime],) if mime in _COMMON else _FORMATS
    try:
        picture = Image.open(BytesIO(data), formats=formats)
    except UnidentifiedImageError as exc:
        reason = "the picture's header is damaged" if mime else "not a picture in a format that is read"
        raise UnreadableSource(source, reason) from exc
    except Image.DecompressionBombError as exc:
        pixels = int(next(iter(re.findall(r"\d+", str(exc))), 0))
        raise UnreadableSource(
            source, _too_large("it", pixels, min(max_pixels, 2 * (Image.MAX_IMAGE_PIXELS or 0)))
        ) from exc
    except Exception as exc:  # a decoder of bytes from anywhere may raise anything
        raise UnreadableSource(source, _reason(exc)) from exc
    if not all(picture.size):
        raise UnreadableSource(source, "the picture has no pixels")
    return picture


def _decoded(picture: Image.Image, source: str) -> Image.Image:
    """The first frame; a JPEG at an eighth, a quarter or half its size when that still covers what is kept."""
    try:
        if picture.format in ("JPEG", "MPO"):
            picture.draft(None, _kept(picture.size))
        picture.load()
        return _upright(picture)
    except Exception as exc:  # a decoder of bytes from anywhere may raise anything
        raise UnreadableSource(source, _reason(exc)) from exc


def _too_large(what: str, pixels: int, cap: int) -> str:
    return f"too large: {what} has {pixels / 1e6:,.1f} million pixels, more than the {cap / 1e6:,.1f} million allowed"


def _reason(exc: Exception) -> str:
    """Why a decoder gave up, in words a person understands."""
    said = str(exc).lower()
    if isinstance(exc, MemoryError):
        return "the picture needs more memory than there is"
    if isinstance(exc, EOFError) or any(word in said for word in _CUT_SHORT):
        return "the picture is cut short"
    if isinstance(exc, NotImplementedError) or any(word in said for word in _FOREIGN):
        return "a variant of its format that is not read"
    return "the picture's data is damaged"


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Silence what decoders say of odd metadata, in any number of threads at once.

    `warnings.catch_warnings` is one state for the whole process, so the first thread in sets it and the last one out
    takes it back.
    """
    with _quiet_lock:
        if not _quiet["threads"]:
            _quiet["guard"] = warnings.catch_warnings()
            _quiet["guard"].__enter__()
            warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif)\b")
        _quiet["threads"] += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet["threads"] -= 1
            if not _quiet["threads"]:
                _quiet["guard"].__exit__(None, None, None)


# -- from any mode to upright RGB --------------------------------------------------------------------------------------


def _kept(size: tuple[int, int]) -> tuple[int, int]:
    """The size to keep: at most WORKING_PIXELS, and of the sizes a little below that the one truest in shape.

    A shape half a pixel off would shift what `resize` cuts out, and that costs more likeness than the shrinking does.
    """
    width, height = size
    if width * height <= WORKING_PIXELS:
        return size
    widest = max(1, int(width * (WORKING_PIXELS / (width * height)) ** 0.5))
    widths = range(widest, max(1, widest * 19 // 20) - 1, -1)
    best = min(widths, key=lambda wide: abs(wide * height / width - round(wide * height / width)))
    return best, max(1, round(best * height / width))


def _upright(picture: Image.Image) -> Image.Image:
    orientation = _orientation(picture)
    whole = _shrunk(_plain(picture))
    flat = _on_white(whole) if "A" in whole.getbands() else _rgb(whole)
    turn = _UPRIGHT.get(orientation)
    return flat.transpose(turn) if turn is not None else flat


def _plain(picture: Image.Image) -> Image.Image:
    """Without palette or deep channels; a large picture smaller, too, made a strip at a time: memory holds it once."""
    width, height = picture.size
    if width * height <= _ALONE_PIXELS or picture.mode in ("L", "RGB", "I", "F"):
        return _eight_bit(_with_alpha(picture))
    factor = max(2, int((width * height / (4 * WORKING_PIXELS)) ** 0.5))
    strips = []
    for top in range(0, height, 64 * factor):
        strip = picture.crop((0, top, width, min(height, top + 64 * factor)))
        strips.append(_eight_bit(_with_alpha(strip)).reduce(factor))
    whole = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    for number, strip in enumerate(strips):
        whole.paste(strip, (0, 64 * number))
    return whole


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - damaged EXIF is no reason to lose the picture: it counts as upright
        return 1


def _with_alpha(picture: Image.Image) -> Image.Image:
    """Palettes and transparent colours written out as plain channels."""
    if "transparency" in picture.info and picture.mode in ("1", "L", "RGB", "P"):
        return picture.convert("RGBA")
    if picture.mode in ("P", "PA", "LA", "La", "RGBa"):
        alpha = picture.mode != "P" or (picture.palette is not None and picture.palette.mode == "RGBA")
        return picture.convert("RGBA" if alpha else "RGB")
    return picture.convert("L") if picture.mode == "1" else picture


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Deeper pictures scaled to 0-255, not clipped: 16 bits by their range, 32 bits and floats by their values."""
    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;16"):
        return picture
    import numpy as np  # late: most pictures do without, and it takes longer to load than all the rest

    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8))
    values = np.nan_to_num(np.asarray(_shrunk(picture), dtype=np.float32), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 65535:
        values = (values - low) * (255 / ((high - low) or 1.0))
    elif high > 255:
        values = values * (255 / 65535)
    elif picture.mode == "F" and high <= 1:
        values = values * 255
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _shrunk(picture: Image.Image) -> Image.Image:
    size = _kept(picture.size)
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _on_white(picture: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA")).convert("RGB")


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "LAB":
        from PIL import ImageCms  # late: it loads a library that hardly any picture needs

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
        return converted if converted is not None else picture.convert("RGB")
    return picture.convert("RGB")
