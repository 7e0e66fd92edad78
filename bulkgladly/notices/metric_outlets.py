"""Where metrics go: a file for node_exporter's textfile collector, and an address that Prometheus reads."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bulkgladly.errors import UsageError
from bulkgladly.notices.run_metrics import METRICS, MetricValue
from bulkgladly.storage.durable import replacing

__all__ = ("MetricsFile", "MetricsServer", "check_package", "text_of")

_READABLE = 0o644
_KEPT = ("bulkgladly_last_success_timestamp_seconds", "bulkgladly_next_loss_timestamp_seconds")
"""What stays true until the same command says it again: kept if this call does not say it."""

MetricValues = Callable[[], Sequence[MetricValue]]


def check_package(flag: str) -> None:
    """Check that the package for metrics is there.

    Raises:
        UsageError: It is not.
    """
    try:
        import prometheus_client  # noqa: F401, PLC0415 - an optional extra, needed by few
    except ImportError:
        raise UsageError(f"{flag} needs the extra: pip install 'bulkgladly[metrics]'") from None


def text_of(figures: Iterable[MetricValue]) -> bytes:
    """Return figures in the text format of Prometheus."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()
    registry.register(_Collector(lambda: list(figures)))
    return generate_latest(registry)


class _Collector:
    """What prometheus_client asks for the figures of this moment."""

    def __init__(self, figures: MetricValues) -> None:
        self._figures = figures

    def describe(self) -> Iterator[Any]:
        """Yield nothing: names are checked by our tests."""
        return iter(())

    def collect(self) -> Iterator[Any]:
        """Yield the metrics that have figures."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        families: dict[str, Any] = {}
        for figure in self._figures():
            metric = METRICS[figure.name]
            labels = ("command", *metric.labels)
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            if figure.name not in families:
                families[figure.name] = kind(figure.name, metric.about, labels=labels)
            families[figure.name].add_metric([figure.labels[name] for name in labels], figure.value)
        yield from families.values()


class MetricsFile:
    """Writes metrics to a file, whole or not at all: every few seconds from a thread, and at the end.

    Several commands may share a file: what those before have written stays. A file that cannot be written is told of
    once.
    """

    def __init__(
        self, path: Path, command: str, figures: MetricValues, tell: Callable[[str], None], *, every_s: float
    ) -> None:
        """Check that the file can be written.

        Raises:
            UsageError: The package is missing, or the folder is not there or not writable.
        """
        check_package("--metrics-file")
        if path.suffix != ".prom":
            raise UsageError(f"--metrics-file {path}: node_exporter reads only names that end in .prom; choose one")
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK) or path.is_dir():
            raise UsageError(
                f"--metrics-file {path} cannot be written; create the folder {path.parent}, and make it writable"
            )
        self._path, self._command, self._figures, self._tell = path, command, figures, tell
        self._every_s = every_s
        self._is_over, self._is_told = threading.Event(), False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def end(self) -> None:
        """Stop the thread, and write for the last time."""
        self._is_over.set()
        self._thread.join()
        self._write()

    def _run(self) -> None:
        while not self._is_over.wait(self._every_s):
            self._write()

    def _write(self) -> None:
        try:
            figures = list(self._figures())
            content = text_of([*self._others({figure.name for figure in figures}), *figures])
            with replacing(self._path) as file:
                # node_exporter is another user, and our umask keeps others out.
                os.fchmod(file.fileno(), _READABLE)
                file.write(content)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and changes nothing
            if not self._is_told:
                self._is_told = True
                why = getattr(error, "strerror", None) or type(error).__name__
                self._tell(f"--metrics-file {self._path} could not be written: {why}")

    def _others(self, said: set[str]) -> list[MetricValue]:
        """Return what other commands have written, and what this one has written and does not say now."""
        return [
            figure
            for figure in _read(self._path)
            if figure.labels["command"] != self._command or (figure.name in _KEPT and figure.name not in said)
        ]


def _read(path: Path) -> list[MetricValue]:
    """Return the figures in a file; none if there is no file. What is not ours is left out."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    found: list[MetricValue] = []
    # A file that somebody has damaged is replaced.
    with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
        for family in text_string_to_metric_families(path.read_text("utf-8")):
            for sample in family.samples:
                metric = METRICS.get(sample.name)
                if metric is not None and set(sample.labels) == {"command", *metric.labels}:
                    found.append(MetricValue(sample.name, sample.labels, sample.value))
    return found


class MetricsServer:
    """Serves metrics at an address, from threads, for as long as the command works."""

    def __init__(self, at: tuple[str, int], figures: MetricValues) -> None:
        """Listen.

        Raises:
            UsageError: The package is missing, or the address cannot be used.
        """
        check_package("--metrics-addr")
        from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415

        registry = CollectorRegistry()
        registry.register(_Collector(figures))
        host, port = at
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise UsageError(f"--metrics-addr {host}:{port} cannot be used: {why}; choose another address") from error
        self.port = int(self._server.server_port)

    def end(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
