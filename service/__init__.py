"""The doors: the command line, the HTTP interface and the page. All of them call `Sightline` and nothing below it."""

__all__: list[str] = []
