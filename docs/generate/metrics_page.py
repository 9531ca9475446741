"""The page of metrics."""

from collections.abc import Iterator

from docs.generate.markdown import page, table
from shared import metrics


def metrics_page() -> str:
    about = (
        "What `/metrics` of each service shows, in Prometheus's text format. A process shows what it has something to\n"
        "say about. Beside these stand `process_…` (memory, CPU, open files) as Prometheus's client names them."
    )

    def body() -> Iterator[str]:
        rows = (
            (f"`{each.name}`", each.kind, ", ".join(f"`{name}`" for name in each.labels), each.says)
            for each in metrics.METRICS
        )
        yield from table(("metric", "kind", "labels", "what it is"), rows)
        most = f"{metrics.SERIES_MAX:,}"
        yield from (
            "## Labels",
            "",
            f"Beyond {most} series of a metric the rest is `{metrics.OTHER}`; of a gauge it is not shown.",
            f"`{metrics.LEFT_OUT.name}` tells.",
            "",
        )
        yield from table(
            ("label", "what it says"),
            ((f"`{name}`", said) for name, said in sorted(metrics.LABELS.items())),
        )

    return page("Metrics", about, body())
